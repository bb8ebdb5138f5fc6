package fastpath

import (
	"math/bits"

	"weir/counters"
	"weir/decode"
)

// IP protocol numbers that have a class of their own.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagPSH = 0x08
	flagURG = 0x20
)

// classes maps the IP protocol to the disjoint class that it is counted in.
var classes = func() (t [256]counters.Class) {
	for i := range t {
		t[i] = counters.Other
	}
	t[protoTCP], t[protoUDP] = counters.TCP, counters.UDP
	t[protoICMP], t[protoICMPv6] = counters.ICMP, counters.ICMP
	return t
}()

// mark returns the classes that count r again.
func mark(r *decode.Record) (m uint8) {
	if r.TCPFlags&flagSYN != 0 {
		m = counters.MarkSYN
	}
	if r.Fragment != decode.NotFragment {
		m |= counters.MarkFrag
	}
	return m
}

// flowHash hashes the 5-tuple of r under a seed that attackers do not know (the folded
// multiplication of wyhash).
func flowHash(r *decode.Record, seed uint64) uint32 {
	ports := uint64(r.SrcPort)<<32 | uint64(r.DstPort)<<16 | uint64(r.Proto)
	hi, lo := bits.Mul64(r.Src.Lo^seed, r.Dst.Lo^ports*0xe7037ed1a0b428db)
	h := hi ^ lo
	if r.Version == 6 {
		hi, lo = bits.Mul64(r.Src.Hi^seed, r.Dst.Hi^h)
		h = hi ^ lo
	}
	return uint32(h ^ h>>32)
}
