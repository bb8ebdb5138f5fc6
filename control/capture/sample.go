package capture

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"weir/ring"
)

// Sample is the head of one frame with the decoder's reading of it. Under this name those who
// write evidence down have it without a part of the data plane.
type Sample = ring.Sample

// Src returns a sample's source address; a v4-mapped one becomes plain IPv4.
func Src(s *Sample) netip.Addr { return address(s.SrcHi, s.SrcLo) }

// Dst returns a sample's destination address; a v4-mapped one becomes plain IPv4.
func Dst(s *Sample) netip.Addr { return address(s.DstHi, s.DstLo) }

func address(hi, lo uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b).Unmap()
}

// Ratio returns the number of packets that a sample stands for: it was taken with probability
// 1/Gap from a source that had sampled 1:N itself.
func Ratio(s *Sample) uint64 { return uint64(max(s.Gap, 1)) * uint64(max(s.Sampling, 1)) }

// compare orders samples by time, and those of one moment by worker, so that the order does not
// depend on whose samples were collected first.
func compare(a, b *Sample) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Worker, b.Worker))
}

// sorted orders samples in time. They are moved once each, as they are large.
func sorted(samples []*Sample) []Sample {
	slices.SortStableFunc(samples, compare)
	out := make([]Sample, len(samples))
	for i, s := range samples {
		out[i] = *s
	}
	return out
}
