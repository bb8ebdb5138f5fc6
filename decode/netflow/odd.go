package netflow

import (
	"cmp"
	"encoding/binary"

	"weir/decode"
)

// forAll are the odd fields that counting does not need.
const forAll = 1<<(fNext6Hi-firstOdd) | 1<<(fNext6Lo-firstOdd) | 1<<(fTTL-firstOdd) |
	1<<(fVLAN-firstOdd) | 1<<(fVLAN2-firstOdd) | 1<<(fPostVLAN-firstOdd) |
	1<<(fPostVLAN2-firstOdd) | 1<<(fInnerVLAN-firstOdd) | (1<<maxLabels-1)<<(fMPLS-firstOdd)

// wanted returns the odd fields that d reads.
func (d *Decoder) wanted() uint64 {
	if d.all {
		return 1<<64 - 1
	}
	return 1<<64 - 1 - forAll
}

// oddRecords is records for templates that need a second look: with fields that few have, or of
// variable length.
func (d *Decoder) oddRecords(out []decode.Record) int {
	t, p, n := d.t, &d.t.places, 0
	for n < len(out) && !d.pending {
		size := int(t.size)
		if d.at+size > d.end {
			d.t = nil
			break
		}
		if t.vary != nil {
			p = (*[numFields]place)(d.places[:])
			if size = d.walk(t, d.at, d.end); size == 0 {
				d.t, d.unknown = nil, true
				break
			}
		}
		rec := d.window(d.at)
		d.at += size
		d.data++
		if d.common(&out[n], t, p, rec) && (t.odd == 0 || d.refine(&out[n], t, p, rec)) {
			n++
		}
	}
	return n
}

// refine does to r what the odd fields ask for. It reports whether r is a record of traffic.
func (d *Decoder) refine(r *decode.Record, t *template, p *[numFields]place, rec *window) bool {
	switch t.family {
	case 0:
		if !d.sampled(r, t, p, rec) {
			d.dg.Skipped[decode.NoAddresses]++
			return false
		}
	case family4 | family6:
		r.Version = bothFamilies(r, p, rec)
	}
	d.substitute(r, t, p, rec)
	if r.Packets|r.Bytes == 0 && d.happening(p, rec) {
		return false
	}
	if t.family != 0 {
		transport(r, t, p, rec)
	}
	d.moments(r, t, p, rec)
	if p[fBytes].width == 0 && t.family != 0 {
		n := load(rec, p[fPacketLen])
		if n == 0 {
			n = load(rec, p[fSectionSize]) // VPP's flowperpkt has the frame's alone
		}
		if n != 0 {
			r.Packets = max(r.Packets, 1)
			r.IPLen = uint32(min(n, 1<<32-1))
			r.Bytes, r.Wire = r.Packets*n, r.IPLen
		}
	}
	if n := load(rec, p[fL2Bytes]); n != 0 && t.family != 0 {
		if r.Wire = mean(n, r.Packets); p[fBytes].width == 0 {
			r.Bytes, r.IPLen = n, r.Wire // the best there is
		}
	}
	if d.source != decode.RateConfigured {
		d.ownRate(r, t, p, rec)
	}
	if d.all {
		extras(r, t, p, rec)
	}
	if t.has(fRevBytes) || t.has(fRevPackets) {
		d.reverse(r, t, p, rec)
	}
	return true
}

// substitute sets what r lacks where its first fields are zero and others tell it.
func (d *Decoder) substitute(
	r *decode.Record, t *template, p *[numFields]place, rec *window,
) {
	if r.Packets|r.Bytes == 0 && (t.has(fOutBytes) || t.has(fOutPackets)) {
		bytes, packets := load(rec, p[fOutBytes]), load(rec, p[fOutPackets])
		if (bytes|packets)>>impossible != 0 {
			d.dg.Faults[decode.BadField]++
			return
		}
		r.Packets, r.Bytes, r.IPLen = packets, bytes, mean(bytes, packets)
		r.Wire = r.IPLen
	}
	f, in, out := &r.Flow, uint32(load(rec, p[fInIf2])), uint32(load(rec, p[fOutIf2]))
	if in|out == 0 || f.InIf != 0 && f.OutIf != 0 {
		return
	}
	f.InIf, f.OutIf = cmp.Or(f.InIf, in), cmp.Or(f.OutIf, out)
	if !d.constant {
		d.lookUp(r, t, p, rec)
	}
}

// happening reports whether a record without traffic tells of an event, and counts it.
func (d *Decoder) happening(p *[numFields]place, rec *window) bool {
	const created, denied = 1, 3 // firewallEvent of the registry; the others end a flow
	switch event := load(rec, p[fEvent]); {
	case load(rec, p[fNATEvent]) != 0:
		d.dg.Skipped[decode.NATEvent]++
	case (event == created || event == denied) && load(rec, p[fRevBytes]) == 0:
		d.dg.Skipped[decode.NoTraffic]++
	default:
		return false
	}
	return true
}

// bothFamilies gives r the addresses of the family that a record uses: the other's are zero. It
// returns the IP version.
func bothFamilies(r *decode.Record, p *[numFields]place, rec *window) uint8 {
	src := decode.Addr{Hi: load(rec, p[fSrc6Hi]), Lo: load(rec, p[fSrc6Lo])}
	dst := decode.Addr{Hi: load(rec, p[fDst6Hi]), Lo: load(rec, p[fDst6Lo])}
	none4 := (r.Src.Lo|r.Dst.Lo)&(1<<32-1) == 0
	if p[fSrc6Lo].width == 0 {
		src, none4 = r.Src, none4 || !r.Src.Is4()
	}
	if p[fDst6Lo].width == 0 {
		dst, none4 = r.Dst, none4 || !r.Dst.Is4()
	}
	if !none4 || src.Hi|src.Lo|dst.Hi|dst.Lo == 0 {
		return 4
	}
	r.Src, r.Dst = src, dst
	return 6
}

// transport sets ports, the type and code of ICMP, and the fragment.
func transport(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	icmp := uint16(0)
	switch r.Proto {
	case protoICMP:
		icmp = uint16(load(rec, p[fICMP4]) | load(rec, p[fType4])<<8 | load(rec, p[fCode4]))
	case protoICMP6:
		icmp = uint16(load(rec, p[fICMP6]) | load(rec, p[fType6])<<8 | load(rec, p[fCode6]))
	default:
		if r.SrcPort == 0 {
			r.SrcPort = uint16(load(rec, p[fSrcPort2]))
		}
		if r.DstPort == 0 {
			r.DstPort = uint16(load(rec, p[fDstPort2]))
		}
	}
	if icmp != 0 {
		r.DstPort = icmp
	}
	// The first byte of fragmentFlags (IPFIX element 197) has the bits where IPv4's header does.
	flags := load(rec, p[fFragFlags]) >> (8 * (max(p[fFragFlags].width, 1) - 1)) >> 5
	r.IPFlags = uint8(flags) & (decode.DontFragment | decode.MoreFragments)
	switch {
	case load(rec, p[fFragOffset]) != 0:
		r.Fragment = decode.LaterFragment
	case r.IPFlags&decode.MoreFragments != 0:
		r.Fragment = decode.FirstFragment
	}
}

// moments corrects the times of r where its start, or a duration, are told apart.
func (d *Decoder) moments(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	f := &r.Flow
	if boot := int64(load(rec, p[fBoot])) * milli; boot != 0 {
		if t.start == uptimes {
			f.Start = d.sinceBoot(boot, load(rec, p[fStart]))
		}
		if t.end == uptimes {
			f.End = d.sinceBoot(boot, load(rec, p[fEnd]))
		}
	}
	lasted := int64(load(rec, p[fDurationMs]))*milli + int64(load(rec, p[fDurationUs]))*micro
	switch {
	case lasted == 0:
	case f.End == 0 && f.Start != 0:
		f.End = f.Start + lasted
	case f.Start == 0 && f.End != 0:
		f.Start = f.End - lasted
	}
}

// sinceBoot returns the time v ms after the exporter began, whose counter wraps after 49.7 days.
func (d *Decoder) sinceBoot(boot int64, v uint64) int64 {
	up := uint32((d.dg.Exported - boot) / milli)
	return d.dg.Exported + int64(int32(uint32(v)-up))*milli
}

// ownRate gives r the sampling rate that its record tells itself.
func (d *Decoder) ownRate(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	if n := d.rateOf(t, p, rec, true); n != 0 {
		r.Sampling = n
		d.lastRate, d.lastFrom = n, decode.RateRecord
	} else if d.constant {
		d.lastRate = 0
	}
}

// sampled fills r from the section of a packet that stands for it, and reports whether there is
// an IP header in it.
func (d *Decoder) sampled(r *decode.Record, t *template, p *[numFields]place, rec *window) bool {
	at := p[fSection]
	if at.width == 0 {
		return false
	}
	b := rec[lead+int(at.end)-int(at.width) : lead+int(at.end)]
	wire := load(rec, p[fSectionSize])
	if used := load(rec, p[fSectionUsed]); used > uint64(len(b)) {
		wire = max(wire, used)
	} else if used != 0 {
		b = b[:used]
	}
	link := decode.LinkRaw
	if t.frames {
		if link = decode.LinkEthernet; load(rec, p[fSectionLink]) > 1 {
			return false // IEEE 802.11, for one
		}
	}
	inner := d.inner
	if wire == 0 {
		inner = &d.cropped
	}
	packets, flow, rate := max(r.Packets, 1), r.Flow, r.Sampling
	inner.Decode(r, link, b, uint32(min(wire, 1<<32-1)))
	r.Packets, r.Flow, r.Sampling = packets, flow, rate
	if d.all && r.Version != 0 && r.NTunnels == 0 && p[fTOS].width == 0 {
		r.Flow.TOS = decode.TrafficClass(link, b)
	}
	r.Bytes *= packets
	return r.Version != 0
}

// extras sets what only All asks for.
func extras(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	if r.Flow.NextHop == (decode.Addr{}) {
		r.Flow.NextHop = decode.Addr{Hi: load(rec, p[fNext6Hi]), Lo: load(rec, p[fNext6Lo])}
	}
	if t.family == 0 {
		return // the packet says it
	}
	r.TTL = uint8(load(rec, p[fTTL]))
	outer := cmp.Or(load(rec, p[fVLAN]), load(rec, p[fVLAN2]),
		load(rec, p[fPostVLAN]), load(rec, p[fPostVLAN2]))
	for _, id := range [2]uint64{outer, load(rec, p[fInnerVLAN])} {
		if id &= 1<<12 - 1; id != 0 {
			r.VLAN[r.NVLAN] = uint16(id)
			r.NVLAN++
		}
	}
	for f := fMPLS; f < numFields && t.has(f); f++ {
		at := int(p[f].end)
		entry := binary.BigEndian.Uint32(rec[lead+at-4:]) & (1<<24 - 1)
		if entry == 0 {
			break
		}
		r.MPLS[r.NMPLS] = entry >> 4
		r.NMPLS++
	}
}

// reverse makes the record of the other direction of a biflow, unless nothing went that way.
func (d *Decoder) reverse(r *decode.Record, t *template, p *[numFields]place, rec *window) {
	bytes, packets := load(rec, p[fRevBytes]), load(rec, p[fRevPackets])
	if bytes|packets == 0 || (bytes|packets)>>impossible != 0 {
		return
	}
	o := &d.other
	*o = *r
	o.Src, o.Dst = r.Dst, r.Src
	if r.Proto != protoICMP && r.Proto != protoICMP6 {
		o.SrcPort, o.DstPort = r.DstPort, r.SrcPort
	}
	o.Bytes, o.Packets, o.IPLen = bytes, packets, mean(bytes, packets)
	o.Wire = o.IPLen
	o.TCPFlags = uint8(load(rec, p[fRevFlags]))
	f := &o.Flow
	f.InIf, f.OutIf = f.OutIf, f.InIf
	f.SrcAS, f.DstAS = f.DstAS, f.SrcAS
	f.NextHop = decode.Addr{}
	start, end := load(rec, p[fRevStart]), load(rec, p[fRevEnd])
	if start != 0 {
		f.Start = d.time(t.revStart, start, end)
	}
	if end != 0 {
		f.End = d.time(t.revEnd, end, end)
	}
	d.pending = true
}
