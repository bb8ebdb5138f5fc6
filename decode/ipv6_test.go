package decode

import "testing"

// ext is an extension header of size bytes.
func ext(next byte, size int, rest ...[]byte) []byte {
	return cat([]byte{next, byte(size/8 - 1)}, fill(size-2), cat(rest...))
}

// fragment6 is a fragment header with that offset and flags field.
func fragment6(next byte, field uint16, rest ...[]byte) []byte {
	return cat([]byte{next, 0}, u16(field), u32(0x1234), cat(rest...))
}

// extend puts n extension headers of all kinds, the first of them destination options, before a
// UDP header.
func extend(n int) []byte {
	kinds := []byte{protoDestOptions, protoRouting, protoMobility, protoHIP, protoShim6}
	next, b := byte(protoUDP), udp(53, 4444)
	for i := n - 1; i >= 0; i-- {
		b = ext(next, 8*(1+i%3), b)
		next = kinds[i%len(kinds)]
	}
	return b
}

func TestIPv6_Success(t *testing.T) {
	f := expect(t, Decoder{})
	ends := " > 2001:db8::7:4444 proto 17 len "
	f(eth(0x86dd, ip6(protoHopByHop, ext(protoUDP, 16, udp(53, 4444)))), 0,
		"ok 2001:db8::1:53"+ends+"64")
	f(eth(0x86dd, ip6(protoDestOptions, extend(5))), 0, "ok 2001:db8::1:53"+ends+"120")
	f(eth(0x86dd, ip6(protoDestOptions, extend(MaxExtHeaders))), 0, "ok 2001:db8::1:53"+ends+"168")
	f(eth(0x86dd, ip6(protoNone, fill(8))), 0, "ok 2001:db8::1:0 > 2001:db8::7:0 proto 59 len 48")
	f(eth(0x86dd, ip6(50, fill(8))), 0, "ok 2001:db8::1:0 > 2001:db8::7:0 proto 50 len 48")

	f(eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 1, udp(53, 4444)))), 0,
		"ok 2001:db8::1:53"+ends+"56 first")
	f(eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 0, udp(53, 4444)))), 0,
		"ok 2001:db8::1:53"+ends+"56") // atomic
	f(eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 8, udp(53, 4444)))), 0,
		"ok 2001:db8::1:0 > 2001:db8::7:0 proto 17 len 56 later")
	options := ext(protoUDP, 8, udp(53, 4444))
	f(eth(0x86dd, ip6(protoFragment, fragment6(protoDestOptions, 1, options))),
		0, "ok 2001:db8::1:53"+ends+"64 first")
}

func TestIPv6_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x86dd, ip6(protoDestOptions, extend(MaxExtHeaders+1))), 0,
		"too_deep 2001:db8::1:0 > 2001:db8::7:0 proto 139 len 192")
	frame := eth(0x86dd, ip6(protoHopByHop, ext(protoUDP, 16, udp(53, 4444))))
	f(frame, 53, "truncated")
	f(frame, 60, "truncated 2001:db8::1:0 > 2001:db8::7:0 proto 0 len 64")
	f(frame, 69, "truncated 2001:db8::1:0 > 2001:db8::7:0 proto 0 len 64")
	f(frame, 75, "truncated 2001:db8::1:53 > 2001:db8::7:4444 proto 17 len 64")
	f(put(frame, 55, 20), 0, "bad_length 2001:db8::1:0 > 2001:db8::7:0 proto 0 len 64")
	f(put(frame, 18, 0, 4), 0, "bad_length 2001:db8::1:0 > 2001:db8::7:0 proto 0 len 44")
	f(put(frame, 18, 0x10, 0), 0,
		"bad_length 2001:db8::1:53 > 2001:db8::7:4444 proto 17 len 4136 bytes 64")
	f(put(frame, 14, 0x50), 0, "bad_header")
}

// TestIPv6NoLength is about packets whose length does not fit the header.
func TestIPv6NoLength(t *testing.T) {
	f := expect(t, Decoder{})
	zero := func(frame []byte) []byte { return put(frame, 18, 0, 0) }
	jumbo := func(length uint32, rest []byte) []byte {
		return zero(eth(0x86dd, ip6(protoHopByHop,
			cat([]byte{protoTCP, 0, 0xc2, 4}, u32(length), rest))))
	}
	segment := tcp(443, 50000, 0x10, fill(70000))
	f(jumbo(uint32(8+len(segment)), segment), 100,
		"ok 2001:db8::1:443 > 2001:db8::7:50000 proto 6 len 70068 flags 0x10")
	f(jumbo(0xffffffff, segment), 0,
		"bad_length 2001:db8::1:443 > 2001:db8::7:50000 proto 6 len 4294967295 bytes 70068 "+
			"flags 0x10")
	f(zero(eth(0x86dd, ip6(protoTCP, segment))), 100,
		"ok 2001:db8::1:443 > 2001:db8::7:50000 proto 6 len 70060 flags 0x10")
	f(zero(eth(0x86dd, ip6(protoUDP, put(udp(53, 4444, fill(70000)), 4, 0, 0)))), 100,
		"ok 2001:db8::1:53 > 2001:db8::7:4444 proto 17 len 70048")

	// Ethernet's padding is no packet.
	f(pad(zero(eth(0x86dd, ip6(protoNone))), 60), 0,
		"ok 2001:db8::1:0 > 2001:db8::7:0 proto 59 len 40")
	f(pad(zero(eth(0x86dd, ip6(protoTCP))), 60), 0,
		"bad_length 2001:db8::1:0 > 2001:db8::7:0 proto 6 len 40")
}
