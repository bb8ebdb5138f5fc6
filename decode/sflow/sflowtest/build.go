// Package sflowtest builds sFlow datagrams, for tests and benchmarks.
package sflowtest

import (
	"encoding/binary"
	"net/netip"
)

// U32 returns integers as XDR has them.
func U32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// Join returns its parts, one behind the other.
func Join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Address returns an address with its type.
func Address(ip netip.Addr) []byte {
	switch {
	case ip.Is4():
		return append(U32(1), ip.AsSlice()...)
	case ip.Is6():
		return append(U32(2), ip.AsSlice()...)
	}
	return U32(0)
}

// Opaque returns b with its length and padding.
func Opaque(b []byte) []byte {
	out := append(U32(uint32(len(b))), b...)
	return append(out, make([]byte, -len(b)&3)...)
}

// Head is a datagram's header.
type Head struct {
	Version  uint32 // 0: 5
	Agent    netip.Addr
	Sub      uint32 // version 5
	Sequence uint32
	Uptime   uint32 // milliseconds
}

// Datagram returns a datagram with its samples.
func (h Head) Datagram(samples ...[]byte) []byte {
	b := Join(U32(max(h.Version, 2)), Address(h.Agent))
	if h.Version == 0 {
		b[3] = 5
	}
	if b[3] == 5 {
		b = append(b, U32(h.Sub)...)
	}
	b = append(b, U32(h.Sequence, h.Uptime, uint32(len(samples)))...)
	return append(b, Join(samples...)...)
}

// Tagged returns a sample or record of version 5: its format, length and body, padded.
func Tagged(format uint32, body ...[]byte) []byte {
	return append(U32(format), Opaque(Join(body...))...)
}

// Flow is the head of a flow sample.
type Flow struct {
	Sequence, Source  uint32
	Rate, Pool, Drops uint32
	In, Out           uint32
}

// Sample returns a flow sample of version 5.
func (f Flow) Sample(records ...[]byte) []byte {
	return Tagged(1, f.head(), U32(uint32(len(records))), Join(records...))
}

// Expanded returns an expanded flow sample of version 5, whose output has a format.
func (f Flow) Expanded(outFormat uint32, records ...[]byte) []byte {
	return Tagged(3, U32(f.Sequence, f.Source>>24, f.Source&(1<<24-1), f.Rate, f.Pool, f.Drops,
		0, f.In, outFormat, f.Out, uint32(len(records))), Join(records...))
}

// Sample4 returns a flow sample of version 2 or 4, with the packet's data, which begins with its
// type, and extended data.
func (f Flow) Sample4(packet []byte, extended ...[]byte) []byte {
	return Join(U32(1), f.head(), packet, U32(uint32(len(extended))), Join(extended...))
}

func (f Flow) head() []byte {
	return U32(f.Sequence, f.Source, f.Rate, f.Pool, f.Drops, f.In, f.Out)
}

// Header returns a record with a sampled header: of a frame that had frame bytes, without the
// stripped ones.
func Header(protocol, frame, stripped uint32, header []byte) []byte {
	return Tagged(1, U32(protocol, frame, stripped), Opaque(header))
}

// Header4 returns a sampled header as packet data of version 2 or 4.
func Header4(protocol, frame uint32, header []byte) []byte {
	return Join(U32(1, protocol, frame), Opaque(header))
}

// Generic returns the generic counters of an interface: octets in and out are speed and half of
// it, the others count up from 1.
func Generic(index uint32, speed uint64) []byte {
	hyper := func(v uint64) []byte { return U32(uint32(v>>32), uint32(v)) }
	return Join(U32(index, 6), hyper(speed), U32(1, 3), hyper(speed), U32(1, 2, 3, 4, 5, 6),
		hyper(speed/2), U32(7, 8, 9, 10, 11, 1))
}

// Counters returns a counter sample of version 5.
func Counters(sequence, source uint32, records ...[]byte) []byte {
	return Tagged(2, U32(sequence, source, uint32(len(records))), Join(records...))
}
