package netflow

import (
	"encoding/binary"

	"weir/decode"
)

// begin5 reads the header of NetFlow v5: version, count, uptime in ms, seconds and nanoseconds
// since 1970, flows before this datagram, engine type and ID, and sampling mode and interval.
func (d *Decoder) begin5() {
	d.dg.Proto = decode.NetFlow5
	if len(d.b) < header5 {
		d.stop(decode.ShortDatagram)
		return
	}
	b := d.b[:header5]
	d.dg.Valid = true
	d.up, d.upKnown = binary.BigEndian.Uint32(b[4:]), true
	d.dg.Exported = int64(binary.BigEndian.Uint32(b[8:]))*second +
		int64(min(binary.BigEndian.Uint32(b[12:]), uint32(second-1)))
	d.dg.Domain = uint32(binary.BigEndian.Uint16(b[20:]))
	d.key = domainKey(decode.NetFlow5, d.dg.Domain)
	d.settle()
	if n := uint32(binary.BigEndian.Uint16(b[22:]) & 0x3fff); n != 0 &&
		d.source != decode.RateConfigured {
		d.rate, d.source = n, decode.RateHeader
	}
	count := int(binary.BigEndian.Uint16(b[2:]))
	whole := (len(d.b) - header5) / record5
	if count != whole || header5+count*record5 != len(d.b) {
		d.dg.Faults[decode.BadCount]++
	}
	d.left = min(count, whole)
	d.pos = header5
	d.data = uint32(count)
	d.seq = binary.BigEndian.Uint32(b[16:])
}

// records5 fills out with flow records of NetFlow v5 and returns how many.
func (d *Decoder) records5(out []decode.Record) int {
	n := min(len(out), d.left)
	at := d.pos
	for i := range n {
		d.record5(&out[i], (*[record5]byte)(d.b[at:at+record5]))
		at += record5
	}
	d.pos = at
	if d.left -= n; d.left == 0 {
		d.pos = len(d.b)
	}
	return n
}

func (d *Decoder) record5(r *decode.Record, b *[record5]byte) {
	r.Src = decode.AddrFrom4(binary.BigEndian.Uint32(b[0:]))
	r.Dst = decode.AddrFrom4(binary.BigEndian.Uint32(b[4:]))
	packets, bytes := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
	r.Packets, r.Bytes = uint64(packets), uint64(bytes)
	r.IPLen = 0
	if packets != 0 {
		r.IPLen = bytes / packets
	}
	r.Wire, r.Sampling = r.IPLen, d.rate
	r.SrcPort, r.DstPort = binary.BigEndian.Uint16(b[32:]), binary.BigEndian.Uint16(b[34:])
	r.Proto, r.TCPFlags = b[38], b[37]
	if r.Proto == protoICMP || r.Proto == protoICMP6 {
		r.SrcPort = 0
	}
	r.Version, r.TTL, r.IPFlags, r.Fragment = 4, 0, 0, decode.NotFragment
	r.NVLAN, r.NMPLS, r.NTunnels = 0, 0, 0

	f := &r.Flow
	f.InIf = uint32(binary.BigEndian.Uint16(b[12:]))
	f.OutIf = uint32(binary.BigEndian.Uint16(b[14:]))
	first, last := binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:])
	f.Start = d.dg.Exported + int64(int32(first-d.up))*milli
	f.End = d.dg.Exported + int64(int32(last-d.up))*milli
	f.Forwarding, f.TOS, f.SrcAS, f.DstAS, f.NextHop = 0, 0, 0, 0, decode.Addr{}
	if d.all {
		f.TOS = b[39]
		f.SrcAS = uint32(binary.BigEndian.Uint16(b[40:]))
		f.DstAS = uint32(binary.BigEndian.Uint16(b[42:]))
		if hop := binary.BigEndian.Uint32(b[8:]); hop != 0 {
			f.NextHop = decode.AddrFrom4(hop)
		}
	}
}
