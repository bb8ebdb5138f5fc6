package blast

import (
	"net/netip"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// sampleRate is N of the sFlow workloads' 1:N.
const sampleRate = 1000

// sflow5 is F4.
func (e *Exports) sflow5() []byte {
	return e.head(0).Datagram(e.samples(7, sflowtest.Flow.Sample)...)
}

// sflow5Counters is F4b.
func (e *Exports) sflow5Counters() []byte {
	samples := e.samples(3, sflowtest.Flow.Sample)
	for i := range uint32(4) {
		generic := sflowtest.Tagged(1, sflowtest.Generic(i+1, 10e9))
		errors := sflowtest.Tagged(2, make([]byte, 52))
		samples = append(samples, sflowtest.Counters(e.number, i+1, generic, errors))
	}
	return e.head(0).Datagram(samples...)
}

// sflow4 is F4c.
func (e *Exports) sflow4() []byte {
	return e.head(4).Datagram(e.samples(7, nil)...)
}

func (e *Exports) head(version uint32) sflowtest.Head {
	return sflowtest.Head{
		Version: version, Agent: netip.AddrFrom4([4]byte{192, 0, 2, 9}),
		Sequence: e.number + 1, Uptime: e.uptime,
	}
}

// samples returns n flow samples of two interfaces in turn, each with a pool of its own; build
// makes one of version 5, nil stands for version 4.
func (e *Exports) samples(n int, build func(sflowtest.Flow, ...[]byte) []byte) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		of, source := e.taken/2, e.taken%2+1
		e.taken++
		head := sflowtest.Flow{
			Sequence: of + 1, Source: source, Rate: sampleRate,
			Pool: source*1e9 + sampleRate*(of+1), In: source, Out: 3,
		}
		e.sampled()
		if build == nil {
			all[i] = head.Sample4(sflowtest.Header4(1, sampledLen+4, e.frame[:]))
			continue
		}
		all[i] = build(head, sflowtest.Header(1, sampledLen+4, 4, e.frame[:]))
	}
	return all
}

// sampledLen is the length of the frames that are sampled, without the FCS.
const sampledLen = 1000

// sampled makes the first 128 bytes of a UDP packet's frame.
func (e *Exports) sampled() {
	var whole [sampledLen]byte
	n := ethernet(whole[:], TypeIPv4)
	ip := IPv4{
		Dont: true, TTL: ttl, Proto: ProtoUDP,
		Src: decode.AddrFrom4(e.anywhere4()), Dst: decode.AddrFrom4(hosts16 + e.hosts.next()),
	}
	n += ip.Put(whole[n:])
	ports := e.u32()
	udp := UDP{SrcPort: uint16(ports >> 16), DstPort: uint16(ports)}
	udp.Put(whole[n:])
	copy(e.frame[:], whole[:])
}
