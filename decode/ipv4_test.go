package decode

import "testing"

// options4 is an IPv4 header with four bytes of options.
func options4(proto byte, body []byte) []byte {
	b := ip4(proto, body)
	b = cat(b[:20], []byte{1, 1, 1, 0}, b[20:])
	return put(b, 0, 0x46, 0, byte(len(b)>>8), byte(len(b)))
}

// fragment4 is an IPv4 packet with that fragment field.
func fragment4(field uint16, proto byte, body []byte) []byte {
	return put(ip4(proto, body), 6, u16(field)...)
}

func TestIPv4_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x0800, options4(protoUDP, udp(53, 4444))), 0,
		"ok 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 32")
	f(eth(0x0800, ip4(89, fill(40))), 0, "ok 192.0.2.1:0 > 198.51.100.7:0 proto 89 len 60")
	f(eth(0x0800, ip4(59)), 0, "ok 192.0.2.1:0 > 198.51.100.7:0 proto 59 len 20")

	// Don't fragment is no fragment, nor is the reserved bit.
	f(eth(0x0800, fragment4(0x4000, protoUDP, udp(53, 4444))), 0, "ok "+plain)
	f(eth(0x0800, fragment4(0x8000, protoUDP, udp(53, 4444))), 0, "ok "+plain)
	f(eth(0x0800, fragment4(0x2000, protoUDP, udp(53, 4444))), 0, "ok "+plain+" first")
	f(eth(0x0800, fragment4(0x2000, protoTCP, tcp(1, 2, 2)[:8])), 0,
		"truncated 192.0.2.1:1 > 198.51.100.7:2 proto 6 len 28 first")
	f(eth(0x0800, fragment4(0x2001, protoUDP, udp(53, 4444))), 0,
		"ok 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28 later")
	f(eth(0x0800, fragment4(0x1fff, protoTCP, tcp(1, 2, 3))), 0,
		"ok 192.0.2.1:0 > 198.51.100.7:0 proto 6 len 40 later")

	// A UDP length beyond the first fragment is that of the whole packet.
	whole := put(udp(53, 4444, fill(8)), 4, 9, 0)
	f(eth(0x0800, fragment4(0x2000, protoUDP, whole)), 0,
		"ok 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 36 first")

	// Length 0 is segmentation offload, for any length on the wire.
	f(put(eth(0x0800, ip4(protoTCP, tcp(1, 2, 0x10, fill(100)))), 16, 0, 0), 0,
		"ok 192.0.2.1:1 > 198.51.100.7:2 proto 6 len 140 flags 0x10")
}

func TestIPv4_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := pad(eth(0x0800, packet()), 60)

	f(put(frame, 14, 0x44), 0, "bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28")
	f(put(frame, 14, 0x40), 0, "bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28")
	f(put(frame, 14, 0x4f), 0, "bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28")
	f(put(frame, 14, 0x55), 0, "bad_header")
	f(put(frame, 16, 0, 19), 0, "bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 19")
	f(put(frame, 16, 0, 24), 0, "bad_length 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 24")
	f(put(frame, 16, 0, 47), 0,
		"bad_length 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 47 bytes 46")
	f(put(frame, 16, 0xff, 0xff), 0,
		"bad_length 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 65535 bytes 46")

	f(eth(0x0800, options4(protoUDP, udp(53, 4444))), 36,
		"truncated 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 32")
	f(eth(0x0800, fragment4(0x2001, protoUDP, udp(53, 4444))), 34,
		"ok 192.0.2.1:0 > 198.51.100.7:0 proto 17 len 28 later")
}

func ah(next byte, rest ...[]byte) []byte {
	return cat([]byte{next, 4, 0, 0}, fill(20), cat(rest...))
}

func TestAH(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x0800, ip4(protoAH, ah(protoUDP, udp(53, 4444)))), 0,
		"ok 192.0.2.1:53 > 198.51.100.7:4444 proto 17 len 52")
	f(eth(0x0800, ip4(protoAH, ah(protoIPv4, inner()))), 0, "ok ipip "+innerShown)
	f(eth(0x86dd, ip6(protoAH, ah(protoTCP, tcp(1, 2, 2)))), 0,
		"ok 2001:db8::1:1 > 2001:db8::7:2 proto 6 len 84 flags 0x2")
	f(eth(0x0800, ip4(protoAH, ah(50, fill(20)))), 0,
		"ok 192.0.2.1:0 > 198.51.100.7:0 proto 50 len 64")
	f(eth(0x0800, ip4(protoAH, ah(protoUDP, udp(53, 4444)))), 50,
		"truncated 192.0.2.1:0 > 198.51.100.7:0 proto 51 len 52")
	f(eth(0x0800, ip4(protoAH, ah(protoUDP)[:16])), 0,
		"bad_length 192.0.2.1:0 > 198.51.100.7:0 proto 51 len 36")

	// What IPv6 passes through are protocols like any other in IPv4.
	f(eth(0x0800, ip4(protoDestOptions, ext(protoUDP, 8, udp(53, 4444)))), 0,
		"ok 192.0.2.1:0 > 198.51.100.7:0 proto 60 len 36")
}

func TestIPIP_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x0800, ip4(protoIPv4, inner())), 0, "ok ipip "+innerShown)
	f(eth(0x0800, ip4(protoIPv6, inner6())), 0, "ok ipip "+inner6Shown)
	f(eth(0x86dd, ip6(protoIPv4, inner())), 0, "ok ipip "+innerShown)
	f(eth(0x86dd, ip6(protoIPv6, inner6())), 0, "ok ipip "+inner6Shown)
	f(eth(0x0800, nest(MaxTunnels, inner())), 0, "ok ipip ipip ipip ipip "+innerShown)
}

// nest puts n IPv4 headers around a packet.
func nest(n int, b []byte) []byte {
	for range n {
		b = ip4(protoIPv4, b)
	}
	return b
}

func TestIPIP_Failure(t *testing.T) {
	outer := func(proto, length string) string {
		return " 192.0.2.1:0 > 198.51.100.7:0 proto " + proto + " len " + length
	}
	f := expect(t, Decoder{})
	f(eth(0x0800, nest(MaxTunnels+1, inner())), 0, "too_deep ipip ipip ipip ipip"+outer("4", "54"))
	frame := eth(0x0800, ip4(protoIPv4, inner()))
	f(frame, 50, "truncated"+outer("4", "54"))
	f(frame, 54, "truncated ipip 10.0.0.1:0 > 10.0.0.2:0 proto 17 len 34")
	f(put(frame, 34, 0x44), 0, "bad_length"+outer("4", "54"))
	f(put(frame, 34, 0x60), 0, "bad_header"+outer("4", "54"))
	f(put(frame, 36, 0, 50), 0,
		"bad_length ipip 10.0.0.1:53 > 10.0.0.2:4444 proto 17 len 50 bytes 34")
	f(eth(0x0800, ip4(protoIPv4, fill(10))), 0, "bad_length"+outer("4", "30"))
	f(eth(0x0800, ip4(protoIPv4)), 0, "ok"+outer("4", "20"))
	f(eth(0x0800, fragment4(0x2000, protoIPv4, inner())), 0, "ok"+outer("4", "54")+" first")
	expect(t, Decoder{Closed: closed(IPIP)})(frame, 0, "ok"+outer("4", "54"))
}

// TestIPFlags looks at what two flags say, of IPv4's header and of IPv6's fragment header.
func TestIPFlags(t *testing.T) {
	body := udp(53, 4444)
	plain6 := eth(0x86dd, ip6(protoUDP, body))
	for _, test := range []struct {
		name  string
		frame []byte
		want  uint8
	}{
		{"none", eth(0x0800, fragment4(0, protoUDP, body)), 0},
		{"don't fragment", eth(0x0800, fragment4(0x4000, protoUDP, body)), DontFragment},
		{"reserved", eth(0x0800, fragment4(0x8000, protoUDP, body)), 0},
		{"first", eth(0x0800, fragment4(0x2000, protoUDP, body)), MoreFragments},
		{"in between", eth(0x0800, fragment4(0x2001, protoUDP, body)), MoreFragments},
		{"last", eth(0x0800, fragment4(0x1fff, protoUDP, body)), 0},
		{"all", eth(0x0800, fragment4(0xe000, protoUDP, body)), DontFragment | MoreFragments},
		{"IPv6", plain6, 0},
		{"IPv6 first", eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 1, body))),
			MoreFragments},
		{"IPv6 in between", eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 9, body))),
			MoreFragments},
		{"IPv6 last", eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 8, body))), 0},
		{"IPv6 in IPv4", eth(0x0800, fragment4(0x4000, protoIPv6, plain6[14:])), 0},
	} {
		var d Decoder
		r := scribbled()
		d.Decode(&r, LinkEthernet, test.frame, uint32(len(test.frame)))
		if r.IPFlags != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, r.IPFlags, test.want)
		}
	}
}
