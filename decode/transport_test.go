package decode

import "testing"

const ends4 = " > 198.51.100.7:"

func TestTransport_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x0800, ip4(protoTCP, tcp(443, 50000, 0xff))), 0,
		"ok 192.0.2.1:443"+ends4+"50000 proto 6 len 40 flags 0xff")
	f(eth(0x0800, ip4(protoUDPLite, udp(53, 4444))), 0,
		"ok 192.0.2.1:53"+ends4+"4444 proto 136 len 28")
	f(eth(0x0800, ip4(protoSCTP, u16(36412, 36413), fill(8))), 0,
		"ok 192.0.2.1:36412"+ends4+"36413 proto 132 len 32")
	f(eth(0x0800, ip4(protoDCCP, u16(1, 2), fill(8))), 0,
		"ok 192.0.2.1:1"+ends4+"2 proto 33 len 32")

	// ICMP: type × 256 + code; what an error quotes is not looked at.
	f(eth(0x0800, ip4(protoICMP, []byte{8, 0, 0, 0}, fill(4))), 0,
		"ok 192.0.2.1:0"+ends4+"2048 proto 1 len 28")
	f(eth(0x0800, ip4(protoICMP, []byte{3, 1, 0, 0}, fill(4), inner())), 0,
		"ok 192.0.2.1:0"+ends4+"769 proto 1 len 62")
	f(eth(0x86dd, ip6(protoICMPv6, []byte{135, 0, 0, 0}, fill(20))), 0,
		"ok 2001:db8::1:0 > 2001:db8::7:34560 proto 58 len 64")

	// TCP options need not have been captured.
	options := put(tcp(443, 50000, 2, fill(20)), 12, 0xa0)
	f(eth(0x0800, ip4(protoTCP, options)), 54,
		"ok 192.0.2.1:443"+ends4+"50000 proto 6 len 60 flags 0x2")

	// A UDP datagram may end before its IP packet.
	f(eth(0x0800, ip4(protoUDP, udp(53, 4444), fill(12))), 0,
		"ok 192.0.2.1:53"+ends4+"4444 proto 17 len 40")
}

func TestTransport_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := eth(0x0800, ip4(protoTCP, tcp(443, 50000, 2)))
	f(frame, 34, "truncated 192.0.2.1:0"+ends4+"0 proto 6 len 40")
	f(frame, 37, "truncated 192.0.2.1:0"+ends4+"0 proto 6 len 40")
	f(frame, 38, "truncated 192.0.2.1:443"+ends4+"50000 proto 6 len 40")
	f(frame, 53, "truncated 192.0.2.1:443"+ends4+"50000 proto 6 len 40")
	f(put(frame, 46, 0x40), 0, "bad_length 192.0.2.1:443"+ends4+"50000 proto 6 len 40 flags 0x2")
	f(put(frame, 46, 0x60), 0, "bad_length 192.0.2.1:443"+ends4+"50000 proto 6 len 40 flags 0x2")
	f(put(frame, 16, 0, 39), 0, "bad_length 192.0.2.1:443"+ends4+"50000 proto 6 len 39")

	datagram := eth(0x0800, packet())
	f(datagram, 41, "truncated 192.0.2.1:53"+ends4+"4444 proto 17 len 28")
	f(put(datagram, 38, 0, 7), 0, "bad_length "+plain)
	f(put(datagram, 38, 0, 0), 0, "bad_length "+plain)
	f(put(datagram, 38, 0, 9), 0, "bad_length "+plain)
	f(put(pad(datagram, 60), 16, 0, 27), 0, "bad_length 192.0.2.1:53"+ends4+"4444 proto 17 len 27")

	f(eth(0x0800, ip4(protoSCTP, u16(1, 2), fill(8))), 40,
		"truncated 192.0.2.1:1"+ends4+"2 proto 132 len 32")
	f(eth(0x0800, ip4(protoICMP, []byte{8, 0, 0, 0})), 36,
		"truncated 192.0.2.1:0"+ends4+"2048 proto 1 len 24")
	f(eth(0x0800, ip4(protoICMP, []byte{8, 0, 0})), 0,
		"bad_length 192.0.2.1:0"+ends4+"2048 proto 1 len 23")
	f(eth(0x0800, ip4(protoICMP, []byte{8})), 0, "bad_length 192.0.2.1:0"+ends4+"0 proto 1 len 21")
}
