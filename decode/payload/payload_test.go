package payload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"weir/decode"
)

var (
	src4 = netip.MustParseAddr("192.0.2.9")
	dst4 = netip.MustParseAddr("198.51.100.7")
	src6 = netip.MustParseAddr("2001:db8::9")
	dst6 = netip.MustParseAddr("2001:db8::7")
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func u16(values ...uint16) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func udp(data []byte) []byte { return join(u16(5000, 2055, uint16(8+len(data)), 0), data) }

// ip4 returns an IPv4 packet: fragment is the field of that name.
func ip4(id, fragment uint16, proto byte, body []byte) []byte {
	return join([]byte{0x45, 0}, u16(uint16(20+len(body)), id, fragment), []byte{64, proto, 0, 0},
		src4.AsSlice(), dst4.AsSlice(), body)
}

// ip6 returns an IPv6 packet.
func ip6(next byte, parts ...[]byte) []byte {
	body := join(parts...)
	return join([]byte{0x60, 0, 0, 0}, u16(uint16(len(body))), []byte{next, 64}, src6.AsSlice(),
		dst6.AsSlice(), body)
}

// fragment6 returns a fragment header.
func fragment6(field uint16) []byte { return join([]byte{17, 0}, u16(field, 0, 77)) }

func eth(types []byte, packet []byte) []byte { return join(make([]byte, 12), types, packet) }

var (
	isIPv4 = []byte{8, 0}
	isIPv6 = []byte{0x86, 0xdd}
	data   = []byte("an export datagram, of 32 bytes.")
)

// found returns what a Finder makes of a frame, in short.
func found(f *Finder, link decode.Link, frame []byte) string {
	var g Datagram
	if !f.Find(&g, link, frame, uint32(len(frame))) {
		return ""
	}
	return fmt.Sprintf("%v:%d>%v:%d %s", g.Src.Netip(), g.SrcPort, g.Dst.Netip(), g.DstPort, g.Data)
}

const (
	shown4 = "192.0.2.9:5000>198.51.100.7:2055 an export datagram, of 32 bytes."
	shown6 = "2001:db8::9:5000>2001:db8::7:2055 an export datagram, of 32 bytes."
)

func TestFind_Success(t *testing.T) {
	f := func(link decode.Link, frame []byte, want string) {
		t.Helper()
		if got := found(new(Finder), link, frame); got != want {
			t.Errorf("%x: %q, want %q", frame, got, want)
		}
	}
	v4, v6 := ip4(1, 0, 17, udp(data)), ip6(17, udp(data))
	f(decode.LinkEthernet, eth(isIPv4, v4), shown4)
	f(decode.LinkEthernet, append(eth(isIPv4, v4), "padding"...), shown4)
	f(decode.LinkEthernet, eth(isIPv6, v6), shown6)
	f(decode.LinkEthernet, eth([]byte{0x81, 0, 0, 9, 0x88, 0xa8, 0, 7, 8, 0}, v4), shown4)
	f(decode.LinkEthernet, eth([]byte{0x88, 0x47, 0, 1, 1, 64}, v6), shown6)
	f(decode.LinkEthernet, eth(isIPv4, ip4(2, 0, 47, join(u16(0, 0x86dd), v6))), shown6)
	f(decode.LinkEthernet, eth(isIPv4, ip4(2, 0, 4, v4)), shown4)
	f(decode.LinkRaw, v4, shown4)
	f(decode.LinkRaw, v6, shown6)
	f(decode.LinkSLL, join(make([]byte, 14), isIPv4, v4), shown4)
	f(decode.LinkSLL2, join(isIPv6, make([]byte, 18), v6), shown6)
	f(decode.LinkNull, join([]byte{2, 0, 0, 0}, v4), shown4)
	options := join([]byte{0x46}, v4[1:20], make([]byte, 4), v4[20:])
	binary.BigEndian.PutUint16(options[2:], uint16(len(options)))
	f(decode.LinkRaw, options, shown4)
	f(decode.LinkRaw, ip6(0, []byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{43, 0, 1, 4, 0, 0, 0, 0},
		[]byte{17, 0, 0, 0, 0, 0, 0, 0}, udp(data)), shown6)
	f(decode.LinkRaw, ip6(44, fragment6(0), udp(data)), shown6) // an atomic fragment
	f(decode.LinkEthernet, eth(isIPv4, v4)[:14+20+8+9], shown4[:len(shown4)-23])
	long := ip4(1, 0, 17, join(udp(data), []byte("behind it"))) // beyond UDP's length
	f(decode.LinkRaw, long, shown4)
}

func TestFind_Failure(t *testing.T) {
	f := func(link decode.Link, frame []byte) {
		t.Helper()
		if got := found(new(Finder), link, frame); got != "" {
			t.Errorf("%x: %q", frame, got)
		}
	}
	v4 := ip4(1, 0, 17, udp(data))
	f(decode.LinkEthernet, nil)
	f(decode.LinkEthernet, eth(isIPv4, ip4(1, 0, 6, make([]byte, 20))))
	f(decode.LinkEthernet, eth([]byte{8, 6}, make([]byte, 46)))
	f(decode.LinkEthernet, eth(isIPv4, v4)[:14+20+7])
	f(decode.LinkEthernet, eth(isIPv4, ip4(1, 0, 1, join([]byte{3, 3, 0, 0, 0, 0, 0, 0}, v4))))
	f(decode.Link(147), v4)
	f(decode.LinkRaw, ip6(44, fragment6(1), udp(data)))
	f(decode.LinkRaw, ip4(1, 0x2000, 17, udp(data)))
}

// TestSegments tells what TCP segments carry, and which of it begins like an IPFIX message.
func TestSegments(t *testing.T) {
	message := join(u16(10, 99, 0, 0, 0, 0, 0, 7, 2, 28), make([]byte, 9))
	tcp := func(options int, data []byte) []byte {
		return join(u16(5000, 4739, 0, 0, 0, 0, uint16(5+options/4)<<12, 0, 0, 0),
			make([]byte, options), data)
	}
	f := func(frame []byte, want int, is bool) {
		t.Helper()
		got := -1
		finder := Finder{Segment: func(g *Datagram) {
			if got = len(g.Data); g.SrcPort != 5000 || g.DstPort != 4739 || g.Message() != is {
				t.Errorf("%+v: %v", g, g.Message())
			}
		}}
		if found(&finder, decode.LinkRaw, frame) != "" || got != want {
			t.Errorf("%x: %d bytes, want %d", frame, got, want)
		}
		if found(new(Finder), decode.LinkRaw, frame) != "" {
			t.Errorf("%x is taken for UDP", frame)
		}
	}
	f(ip4(1, 0, 6, tcp(0, message)), len(message), true)
	f(ip6(6, tcp(12, message)), len(message), true)
	f(ip4(1, 0, 6, tcp(0, message[:20])), 20, true)
	f(ip4(1, 0, 6, tcp(0, message[:19])), 19, false)
	f(ip4(1, 0, 6, tcp(0, []byte("GET / HTTP/1.1 and so on"))), 24, false)
	f(ip4(1, 0, 6, tcp(0, u16(10, 40, 0, 0, 0, 0, 0, 7, 256, 28))), 20, false) // a set too long
	f(ip4(1, 0, 6, tcp(0, u16(10, 40, 0, 0, 0, 0, 0, 7, 4, 8))), 20, false)    // reserved
	f(ip4(1, 0, 6, tcp(12, nil)), -1, false)
	f(ip4(1, 0, 6, tcp(40, nil)[:40]), -1, false)
	f(ip4(1, 0x2000, 6, tcp(0, message)), -1, false)
}

// TestFragments puts datagrams together whose fragments come in every order.
func TestFragments(t *testing.T) {
	body := udp(bytes.Repeat([]byte("0123456789abcdef"), 12))
	want := "192.0.2.9:5000>198.51.100.7:2055 " + string(body[8:])
	want6 := "2001:db8::9:5000>2001:db8::7:2055 " + string(body[8:])
	var v4, v6 [][]byte
	for i, cut := range [][2]int{{0, 64}, {64, 128}, {128, len(body)}} {
		more := uint16(1)
		if i == 2 {
			more = 0
		}
		v4 = append(v4, ip4(5, more<<13|uint16(cut[0]/8), 17, body[cut[0]:cut[1]]))
		v6 = append(v6, ip6(44, fragment6(uint16(cut[0])|more), body[cut[0]:cut[1]]))
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}, {0, 0, 2, 2, 1}} {
		var f Finder
		f.GivenUp = func(g *Datagram) { t.Errorf("%v: given up", order) }
		for i, n := range order {
			wanted, wanted6 := "", ""
			if i == len(order)-1 {
				wanted, wanted6 = want, want6
			}
			if got := found(&f, decode.LinkRaw, v4[n]); got != wanted {
				t.Errorf("%v, IPv4: %q, want %q", order, got, wanted)
			}
			if got := found(&f, decode.LinkRaw, v6[n]); got != wanted6 {
				t.Errorf("%v, IPv6: %q, want %q", order, got, wanted6)
			}
		}
		f.End()
	}
}

// TestFragments_Failure: what does not fit, or never becomes whole, is given up and told.
func TestFragments_Failure(t *testing.T) {
	body := udp(bytes.Repeat([]byte("0123456789abcdef"), 12))
	f := func(want string, frames ...[]byte) {
		t.Helper()
		var finder Finder
		got := ""
		finder.GivenUp = func(g *Datagram) { got += fmt.Sprintf("%d:%d ", g.DstPort, len(g.Data)) }
		for _, b := range frames {
			if g := found(&finder, decode.LinkRaw, b); g != "" {
				t.Errorf("made %q", g)
			}
			if n := len(finder.assembly.partial); n > maxPartial {
				t.Errorf("%d datagrams are kept", n)
			}
		}
		finder.End()
		if got != want {
			t.Errorf("given up %q, want %q", got, want)
		}
	}
	part := func(id uint16, more uint16, from, to int) []byte {
		return ip4(id, more<<13|uint16(from/8), 17, body[from:to])
	}
	f("")
	f("2055:56 ", part(1, 1, 0, 64))
	f("2055:120 ", part(1, 1, 0, 64), part(1, 1, 64, 128))
	f("", part(1, 1, 64, 128)) // without its head nobody can say what it was
	f("2055:56 ", part(1, 1, 0, 64), part(1, 1, 56, 128))
	f("2055:56 ", part(1, 1, 0, 64), part(1, 1, 0, 72))
	f("2055:56 ", part(1, 1, 0, 64), part(1, 1, 72, 128), part(1, 1, 64, 80))
	f("2055:56 ", part(1, 1, 0, 64), part(1, 0, 128, 200), part(1, 0, 64, 128))
	f("2055:56 ", part(1, 1, 0, 64), part(2, 0, 64, 200))
	f("2055:56 ", part(1, 1, 0, 64), ip4(1, 0x1fff, 17, body[:64]))
	var many [][]byte
	want := ""
	for id := range uint16(200) {
		many = append(many, part(id, 1, 0, 64))
		want += "2055:56 "
	}
	f(want, many...)
	many = [][]byte{part(1, 1, 0, 8)}
	for i := range 80 {
		many = append(many, ip4(1, 1<<13|uint16(100+2*i), 17, body[:8]))
	}
	f("2055:0 ", many...)
}

// FuzzFind: whatever the frames are, what is found is part of them and what is kept is bounded.
func FuzzFind(f *testing.F) {
	f.Add(eth(isIPv4, ip4(5, 1<<13, 17, udp(data))), eth(isIPv4, ip4(5, 5, 17, data)), uint16(1))
	f.Add(ip6(44, fragment6(1), udp(data)), ip6(44, fragment6(40), data), uint16(101))
	f.Fuzz(func(t *testing.T, a, b []byte, link uint16) {
		var finder Finder
		given := 0
		finder.GivenUp = func(*Datagram) { given++ }
		for range 3 {
			for _, frame := range [][]byte{a, b} {
				var g Datagram
				ok := finder.Find(&g, decode.Link(link), frame, uint32(len(frame)))
				if ok && len(g.Data) > len(a)+len(b) {
					t.Errorf("%d bytes of frames of %d and %d", len(g.Data), len(a), len(b))
				}
			}
		}
		if n := len(finder.assembly.partial); n > maxPartial {
			t.Errorf("%d datagrams are kept", n)
		}
		finder.End()
		if len(finder.assembly.partial) != 0 || given > 6 {
			t.Errorf("%d are kept, %d given up", len(finder.assembly.partial), given)
		}
	})
}
