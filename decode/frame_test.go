package decode

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// The helpers below build frames from the inside out: each puts one header before what it is
// given.

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func u16(v ...uint16) []byte {
	var b []byte
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func u32(v ...uint32) []byte {
	var b []byte
	for _, v := range v {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func fill(n int) []byte { return make([]byte, n) }

// eth is an Ethernet header; a type below 0x600 is a length.
func eth(t uint16, rest ...[]byte) []byte {
	return cat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, u16(t), cat(rest...))
}

// tag is a VLAN tag behind its ethertype.
func tag(id, next uint16, rest ...[]byte) []byte { return cat(u16(id, next), cat(rest...)) }

// label is an MPLS label stack entry.
func label(l uint32, bottom bool, rest ...[]byte) []byte {
	v := l<<12 | 64
	if bottom {
		v |= 0x100
	}
	return cat(u32(v), cat(rest...))
}

// ip4 is an IPv4 header without options between 192.0.2.1 and 198.51.100.7.
func ip4(proto byte, rest ...[]byte) []byte {
	return ip4From("192.0.2.1", "198.51.100.7", proto, rest...)
}

func ip4From(src, dst string, proto byte, rest ...[]byte) []byte {
	body := cat(rest...)
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	return cat([]byte{0x45, 0}, u16(uint16(20+len(body)), 0x1234, 0x4000),
		[]byte{57, proto, 0, 0}, s.AsSlice(), d.AsSlice(), body)
}

// ip6 is an IPv6 header between 2001:db8::1 and 2001:db8::7.
func ip6(next byte, rest ...[]byte) []byte {
	return ip6From("2001:db8::1", "2001:db8::7", next, rest...)
}

func ip6From(src, dst string, next byte, rest ...[]byte) []byte {
	body := cat(rest...)
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	return cat(u32(6<<28), u16(uint16(len(body))), []byte{next, 57}, s.AsSlice(), d.AsSlice(), body)
}

func udp(src, dst uint16, rest ...[]byte) []byte {
	body := cat(rest...)
	return cat(u16(src, dst, uint16(8+len(body)), 0), body)
}

func tcp(src, dst uint16, flags byte, rest ...[]byte) []byte {
	return cat(u16(src, dst), u32(1, 2), []byte{0x50, flags}, u16(1024, 0, 0), cat(rest...))
}

// put returns b with the bytes at off replaced.
func put(b []byte, off int, with ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[off:], with)
	return b
}

// pad returns b as a frame of at least n bytes.
func pad(b []byte, n int) []byte {
	for len(b) < n {
		b = append(b, 0)
	}
	return b
}

// show writes what a frame was decoded to on one line: status, tags and tunnels, then, if there
// are addresses, source, destination, protocol and IP length, and the rest where it is not zero.
func show(r *Record, s Status) string {
	out := []string{s.String()}
	if r.NVLAN > 0 {
		out = append(out, fmt.Sprintf("vlan%d", r.VLAN[:r.NVLAN]))
	}
	if r.NMPLS > 0 {
		out = append(out, fmt.Sprintf("mpls%d", r.MPLS[:r.NMPLS]))
	}
	for _, t := range r.Tunnels[:r.NTunnels] {
		out = append(out, t.String())
	}
	if r.Version == 0 {
		return strings.Join(out, " ")
	}
	out = append(out, fmt.Sprintf("%v:%d > %v:%d proto %d len %d",
		r.Src.Netip(), r.SrcPort, r.Dst.Netip(), r.DstPort, r.Proto, r.IPLen))
	if r.Bytes != uint64(r.IPLen) {
		out = append(out, fmt.Sprintf("bytes %d", r.Bytes))
	}
	if r.TCPFlags != 0 {
		out = append(out, fmt.Sprintf("flags %#x", r.TCPFlags))
	}
	if r.Fragment != NotFragment {
		out = append(out, [...]string{"", "first", "later"}[r.Fragment])
	}
	return strings.Join(out, " ")
}

// expect returns a function that decodes an Ethernet frame, of which the first captured bytes
// came (all if 0), and compares it with what show should write.
func expect(t *testing.T, d Decoder) func(frame []byte, captured int, want string) {
	return func(frame []byte, captured int, want string) {
		t.Helper()
		if captured == 0 {
			captured = len(frame)
		}
		var r Record
		s := d.Decode(&r, LinkEthernet, frame[:captured], uint32(len(frame)))
		if got := show(&r, s); got != want {
			t.Errorf("%d of %d bytes:\n got %s\nwant %s", captured, len(frame), got, want)
		}
	}
}

// inner is a packet to put into tunnels, and innerShown what show writes of it.
func inner() []byte {
	return ip4From("10.0.0.1", "10.0.0.2", protoUDP, udp(53, 4444, []byte("answer")))
}

const innerShown = "10.0.0.1:53 > 10.0.0.2:4444 proto 17 len 34"

// inner6 is another.
func inner6() []byte { return ip6From("fd00::1", "fd00::2", protoTCP, tcp(443, 50000, 0x12)) }

const inner6Shown = "fd00::1:443 > fd00::2:50000 proto 6 len 60 flags 0x12"
