package blast

import (
	"errors"
	"fmt"
	"time"
)

// Flow is one regular stream of packets of a Scenario. The zero values of its fields but PPS, To
// and Dst are useful.
type Flow struct {
	Name string // for errors

	// Vector names a preset, one of Vectors, that sets those of the fields from Src to Payload
	// that are zero.
	Vector string

	// From and To are when the flow begins and ends, after the scenario's start.
	From, To time.Duration
	// PPS is the number of packets per second, 1 to 1e9: fragments count one by one. Packet i,
	// from 0, has the time From + i/PPS, and the last one's is before To.
	PPS int
	// Jitter moves each packet by a random time, up to that of its successor. The number of
	// packets and their order do not change.
	Jitter bool

	Dst Hosts
	Src Hosts

	Proto uint8 // 0: UDP. ICMP between IPv6 hosts is ICMPv6.
	// SrcPort and DstPort are those of TCP and UDP. For ICMP, DstPort is type × 256 + code as in
	// NetFlow, and its zero value an echo request.
	SrcPort, DstPort Ports
	Flags            uint8 // of TCP
	// Size is the length of the IP packets, at least that of their headers; what is over MTU is
	// sent as fragments. nil: 46, that of the smallest frame.
	Size Sizes
	// Payload is what the payload behind the transport header begins with; zeros follow.
	Payload string
	TTL     uint8 // or hop limit, as received; 0: 57

	// Conversations bounds the number of 5-tuples: each destination has that many, from addresses
	// and between ports that were drawn once. 0: they are drawn for each packet. Flows of one
	// scenario with the same ends have the same conversations.
	Conversations int
	// Replies is the share of packets, in percent, that go the other way: with both ends swapped,
	// echo requests as replies, and SYN as SYN-ACK or the reverse.
	Replies int
}

// Ports is a range of ports to draw from, 0 to 65535; its zero value the ephemeral ones from
// 1024 on. Port 0 alone cannot be asked for.
type Ports struct{ Min, Max uint16 }

// ephemeral is the first port that is not well known (RFC 6335 section 6).
const ephemeral = 1024

// Port is the range of one port.
func Port(port uint16) Ports { return Ports{port, port} }

func (p Ports) pick(r *random) uint16 {
	if p == (Ports{}) {
		p = Ports{ephemeral, 1<<16 - 1}
	}
	return p.Min + uint16(r.below(uint32(p.Max-p.Min)+1))
}

// Size is a range of lengths of IP packets in bytes, at most 65535, both ends included. Its
// Weight is its share of all packets relative to the others', at least 1.
type Size struct{ Min, Max, Weight int }

// Sizes is a distribution of lengths.
type Sizes []Size

// Bytes is one length.
func Bytes(n int) Sizes { return Sizes{{n, n, 1}} }

// IMIX is the simple Internet mix: frames of 64, 594 and 1518 bytes with FCS, 7:4:1.
func IMIX() Sizes { return Sizes{{smallPacket, smallPacket, 7}, {576, 576, 4}, {MTU, MTU, 1}} }

const maxPacket = 1<<16 - 1

func (s Sizes) check() error {
	total := 0
	for _, z := range s {
		if z.Min < 0 || z.Max < z.Min || z.Max > maxPacket || z.Weight < 1 || z.Weight > 1e6 {
			return fmt.Errorf("size %+v", z)
		}
		total += z.Weight
	}
	if total > 1e9 {
		return fmt.Errorf("sizes weigh %d in all, over 1e9", total)
	}
	return nil
}

func (s Sizes) total() (weight uint32) {
	for _, z := range s {
		weight += uint32(z.Weight)
	}
	return weight
}

// pick draws a length; total is that of the weights.
func (s Sizes) pick(r *random, total uint32) int {
	if len(s) == 0 {
		return smallPacket
	}
	at := 0
	if len(s) > 1 {
		die := int(r.below(total))
		for ; die >= s[at].Weight; at++ {
			die -= s[at].Weight
		}
	}
	z := &s[at]
	if z.Min == z.Max {
		return z.Min
	}
	return z.Min + int(r.below(uint32(z.Max-z.Min+1)))
}

// Count returns the number of packets that a valid flow has: PPS × (To − From), rounded up.
func (f *Flow) Count() int64 {
	d, pps := int64(f.To-f.From), int64(f.PPS)
	const second = int64(time.Second)
	return d/second*pps + (d%second*pps+second-1)/second
}

// at returns the time of packet i after From, without jitter.
func (f *Flow) at(i int64) time.Duration {
	pps := int64(f.PPS)
	return time.Duration(i/pps)*time.Second + time.Duration(i%pps*int64(time.Second)/pps)
}

func (f *Flow) check() error {
	switch {
	case f.PPS < 1 || f.PPS > 1e9:
		return fmt.Errorf("%d packets per second are not from 1 to 1e9", f.PPS)
	case f.From < 0 || f.To < f.From || f.To > maxDuration:
		return fmt.Errorf("time from %v to %v", f.From, f.To)
	case f.SrcPort.Min > f.SrcPort.Max:
		return fmt.Errorf("source ports %+v", f.SrcPort)
	case f.DstPort.Min > f.DstPort.Max:
		return fmt.Errorf("destination ports %+v", f.DstPort)
	case f.Conversations < 0 || f.Conversations > 1e9:
		return fmt.Errorf("%d conversations", f.Conversations)
	case f.Replies < 0 || f.Replies > 100:
		return fmt.Errorf("replies of %d %%", f.Replies)
	case !f.Dst.Prefix.IsValid() && !f.Src.Prefix.IsValid():
		return errors.New("both ends are outside: neither has a prefix")
	}
	return f.Size.check()
}

// maxDuration keeps the count of packets within 64 bits.
const maxDuration = 100 * 365 * 24 * time.Hour

// v6 reports whether the flow is IPv6.
func (f *Flow) v6() (bool, error) {
	dst, src := f.Dst.Prefix, f.Src.Prefix
	if dst.IsValid() && src.IsValid() && dst.Addr().Is6() != src.Addr().Is6() {
		return false, fmt.Errorf("packets from %v to %v", src, dst)
	}
	if !dst.IsValid() {
		dst = src
	}
	return dst.Addr().Is6(), nil
}
