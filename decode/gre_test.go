package decode

import "testing"

// gre4 is an Ethernet frame of GRE in IPv4, with that flags and type field.
func gre4(flags, protocol uint16, rest ...[]byte) []byte {
	return eth(0x0800, ip4(protoGRE, u16(flags, protocol), cat(rest...)))
}

func greOuter(length string) string {
	return " 192.0.2.1:0 > 198.51.100.7:0 proto 47 len " + length
}

func TestGRE_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(gre4(0, 0x0800, inner()), 0, "ok gre "+innerShown)
	f(gre4(0, 0x86dd, inner6()), 0, "ok gre "+inner6Shown)
	f(gre4(0x2000, 0x6558, u32(77), eth(0x8100, tag(5, 0x0800, inner()))), 0,
		"ok vlan[5] gre "+innerShown)
	f(gre4(0x8000, 0x8847, fill(4), stack(2, inner())), 0, "ok mpls[16 17] gre "+innerShown)
	f(gre4(0xb000, 0x0800, fill(12), inner()), 0, "ok gre "+innerShown)
	f(eth(0x86dd, ip6(protoGRE, u16(0, 0x0800), inner())), 0, "ok gre "+innerShown)
	f(gre4(0, 0x0800, ip4(protoGRE, u16(0, 0x86dd), inner6())), 0, "ok gre gre "+inner6Shown)

	// Source routes: two entries and the empty one that ends them.
	routes := cat(u16(0x0800), []byte{0, 4}, fill(4), u16(0x0800), []byte{0, 8}, fill(8), fill(4))
	f(gre4(0x4000, 0x0800, fill(4), routes, inner()), 0, "ok gre "+innerShown)

	// PPTP, with and without payload.
	f(gre4(0x3081, 0x880b, fill(12), []byte{0xff, 3, 0, 0x21}, inner()), 0, "ok gre "+innerShown)
	f(gre4(0x2081, 0x880b, fill(8)), 0, "ok"+greOuter("32"))

	f(gre4(0x2001, 0x6400, u32(40<<16), eth(0x0800, inner())), 0, "ok gre "+innerShown) // EoIP
	f(gre4(0, 0x883e, inner()), 0, "ok gre "+innerShown)                                // WCCP
	f(gre4(0, 0x883e, u32(0x5900), inner()), 0, "ok gre "+innerShown)
	f(eth(0x0800, ip4(protoUDP, udp(9999, portGRE, u16(0, 0x0800), inner()))), 0,
		"ok gre "+innerShown)
}

func TestGRE_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := gre4(0x2000, 0x0800, u32(77), inner())
	f(frame, 37, "truncated"+greOuter("62"))
	f(frame, 41, "truncated"+greOuter("62"))
	f(frame, 50, "truncated"+greOuter("62"))
	f(gre4(2, 0x0800, inner()), 0, "bad_header"+greOuter("58"))
	f(gre4(0x2000, 0x0800, fill(3)), 0, "bad_length"+greOuter("27"))
	f(gre4(0, 0x0800, fill(10)), 0, "bad_length"+greOuter("34"))
	f(gre4(0, 0x0800, fill(20)), 0, "bad_header"+greOuter("44"))
	f(gre4(0, 0x0800), 0, "ok"+greOuter("24"))           // keepalive
	f(gre4(0, 0x88cc, fill(20)), 0, "ok"+greOuter("44")) // LLDP
	f(gre4(0, 0x6558, eth(0x0806, fill(28))), 0, "ok"+greOuter("66"))
	f(gre4(0, 0x6558, eth(0x8100, tag(5, 0x8847, stack(1, eth(0x0806, fill(28)))))), 0,
		"ok"+greOuter("88"))
	f(gre4(0x4000, 0x0800, fill(4), u16(0x0800), []byte{0, 200}, inner()), 0,
		"bad_length"+greOuter("66"))
	f(gre4(0x4000, 0x0800, fill(4), u16(0x0800), []byte{0}), 0, "bad_length"+greOuter("31"))
	f(gre4(0x4000, 0x0800, fill(4), u32(0x08000000, 0x08000000, 0x08000000, 0x08000000, 0x08000000,
		0x08000000, 0x08000000, 0x08000000), fill(4), inner()), 0, "too_deep"+greOuter("98"))
	expect(t, Decoder{Closed: closed(GRE)})(frame, 0, "ok"+greOuter("62"))

	// To port 4754 anything may go.
	f(eth(0x0800, ip4(protoUDP, udp(9, portGRE, fill(2)))), 0,
		"ok 192.0.2.1:9 > 198.51.100.7:4754 proto 17 len 30")
	f(eth(0x0800, ip4(protoUDP, udp(9, portGRE, u16(7, 7)))), 0,
		"ok 192.0.2.1:9 > 198.51.100.7:4754 proto 17 len 32")
}

func TestERSPAN_Success(t *testing.T) {
	f := expect(t, Decoder{})
	mirrored := eth(0x8100, tag(5, 0x0800, inner()))
	f(gre4(0, 0x88be, mirrored), 0, "ok vlan[5] erspan "+innerShown)                       // type I
	f(gre4(0x1000, 0x88be, u32(1), fill(8), mirrored), 0, "ok vlan[5] erspan "+innerShown) // II
	f(gre4(0x1000, 0x22eb, u32(1), fill(12), mirrored), 0, "ok vlan[5] erspan "+innerShown)
	f(gre4(0x1000, 0x22eb, u32(1), fill(11), []byte{1}, fill(8), mirrored), 0,
		"ok vlan[5] erspan "+innerShown)
	f(gre4(0x1000, 0x22eb, u32(1), fill(10), []byte{8, 0}, inner6()), 0, "ok erspan "+inner6Shown)
}

func TestERSPAN_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	f(gre4(0x1000, 0x88be, u32(1), fill(8), eth(0x0800, inner())), 49, "truncated"+greOuter("84"))
	f(gre4(0x1000, 0x88be, u32(1), fill(7)), 0, "bad_length"+greOuter("35"))
	f(gre4(0x1000, 0x22eb, u32(1), fill(11)), 0, "bad_length"+greOuter("39"))
	f(gre4(0x1000, 0x22eb, u32(1), fill(11), []byte{1}), 0, "bad_length"+greOuter("40"))
	f(gre4(0x1000, 0x88be, u32(1), fill(8), eth(0x88cc, fill(46))), 0, "ok"+greOuter("96"))
	expect(t, Decoder{Closed: closed(ERSPAN)})(
		gre4(0, 0x88be, eth(0x0800, inner())), 0, "ok"+greOuter("72"))
	expect(t, Decoder{Closed: closed(GRE)})(
		gre4(0, 0x88be, eth(0x0800, inner())), 0, "ok erspan "+innerShown)
}

func TestWLAN_Success(t *testing.T) {
	f := expect(t, Decoder{})
	body := snap(0, 0x0800, inner())
	f(gre4(0, 0x8200, []byte{0x08, 1}, fill(22), body), 0, "ok gre "+innerShown)
	f(gre4(0, 0x8200, []byte{0x08, 3}, fill(28), body), 0, "ok gre "+innerShown)
	f(gre4(0, 0x8300, []byte{0x88, 1}, fill(24), body), 0, "ok gre "+innerShown)
	f(gre4(0, 0x9000, []byte{0x88, 0x82}, fill(28), body), 0, "ok gre "+innerShown)
	aggregate := cat([]byte{0x88, 2}, fill(22), []byte{0x80, 0},
		fill(12), u16(uint16(len(body))), body)
	f(gre4(0, 0x8240, aggregate, fill(60)), 0, "ok gre "+innerShown)
}

func TestWLAN_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	body := snap(0, 0x0800, inner())
	f(gre4(0, 0x8200, []byte{0x08, 0x41}, fill(22), body), 0, "ok"+greOuter("90")) // encrypted
	f(gre4(0, 0x8200, []byte{0x80, 0}, fill(22), body), 0, "ok"+greOuter("90"))    // beacon
	f(gre4(0, 0x8200, []byte{0x48, 1}, fill(22)), 0, "ok"+greOuter("48"))          // no data
	f(gre4(0, 0x8200, []byte{0x08, 1}, fill(20)), 0, "bad_length"+greOuter("46"))
	f(gre4(0, 0x8200, []byte{0x88, 1}, fill(22)), 0, "bad_length"+greOuter("48"))
	f(gre4(0, 0x8200, []byte{0x88, 2}, fill(22), []byte{0x80, 0}, fill(13)), 0,
		"bad_length"+greOuter("63"))
	f(gre4(0, 0x8200, []byte{0x08, 1}, fill(22), body), 70, "truncated"+greOuter("90"))
}
