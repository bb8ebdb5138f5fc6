package decode

import "testing"

func TestL2TPv2_Success(t *testing.T) {
	f := expect(t, Decoder{})
	ppp := cat([]byte{0xff, 3}, u16(pppIPv4), inner())
	f(over(portL2TP, u16(2, 7, 8), ppp), 0, "ok l2tp "+innerShown)
	f(over(portL2TP, u16(0x4002, uint16(8+len(ppp)), 7, 8), ppp), 0, "ok l2tp "+innerShown)
	f(over(portL2TP, u16(0x4802, uint16(12+len(ppp)), 7, 8, 1, 1), ppp), 0, "ok l2tp "+innerShown)
	f(over(portL2TP, u16(0x0202, 7, 8, 5), fill(5), ppp), 0, "ok l2tp "+innerShown)
	f(over(portL2TP, u16(2, 7, 8), u16(pppIPv6), inner6()), 0, "ok l2tp "+inner6Shown)
	f(eth(0x0800, ip4(protoUDP, udp(portL2TP, 9, u16(2, 7, 8), ppp))), 0, "ok l2tp "+innerShown)
}

func TestL2TPv2_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := over(portL2TP, u16(0x0202, 7, 8, 0), u16(pppIPv4), inner())
	f(frame, 45, "truncated"+overShown(1701, 44))
	f(frame, 49, "truncated"+overShown(1701, 44))
	f(frame, 51, "truncated"+overShown(1701, 44))
	f(frame, 60, "truncated"+overShown(1701, 44))
	f(put(frame, 48, 1), 0, "ok"+overShown(1701, 44))
	f(over(portL2TP, u16(0xc802, 20, 7, 0, 0, 0), fill(8)), 0, "ok"+overShown(1701, 20)) // control
	f(over(portL2TP, u16(2, 7, 8), u16(0xc021), fill(8)), 0, "ok"+overShown(1701, 16))   // LCP
	f(over(portL2TP, u16(2, 7, 8)), 0, "ok"+overShown(1701, 6))
	f(over(portL2TP, u16(5, 7, 8), inner()), 0, "ok"+overShown(1701, 40))
	f(over(portL2TP, fill(3)), 0, "ok"+overShown(1701, 3))
	expect(t, Decoder{Closed: closed(L2TP)})(frame, 0, "ok"+overShown(1701, 44))
}

func TestL2TPv3_Success(t *testing.T) {
	f := expect(t, Decoder{})
	for _, cookie := range []int{0, 4, 8, 12} {
		sent := cat(fill(cookie), eth(0x0800, inner()))
		f(over(portL2TP, u16(3, 0), u32(77), sent), 0, "ok l2tp "+innerShown)
		f(eth(0x0800, ip4(protoL2TP, u32(77), sent)), 0, "ok l2tp "+innerShown)
		f(eth(0x86dd, ip6(protoL2TP, u32(77), sent)), 0, "ok l2tp "+innerShown)
		f(eth(0x0800, ip4(protoL2TP, u32(77), fill(cookie), u16(pppIPv6), inner6())), 0,
			"ok l2tp "+inner6Shown)
		f(eth(0x0800, ip4(protoL2TP, u32(77), fill(cookie), u16(pppFraming, pppIPv4), inner())), 0,
			"ok l2tp "+innerShown)
	}
	f(eth(0x0800, ip4(protoL2TP, u32(77), eth(0x8100, tag(5, 0x86dd, inner6())))), 0,
		"ok vlan[5] l2tp "+inner6Shown)
}

func TestL2TPv3_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	outer := " 192.0.2.1:0 > 198.51.100.7:0 proto 115 len "
	frame := eth(0x0800, ip4(protoL2TP, u32(77), eth(0x0800, inner())))
	f(frame, 37, "truncated"+outer+"72")
	f(frame, 60, "truncated"+outer+"72")
	f(put(frame, 34, 0, 0, 0, 0), 0, "ok"+outer+"72") // session 0 is control
	f(eth(0x0800, ip4(protoL2TP, u32(77), fill(60))), 0, "ok"+outer+"84")
	f(eth(0x0800, ip4(protoL2TP, fill(2))), 0, "bad_length"+outer+"22")
	f(over(portL2TP, u16(3, 0, 0)), 0, "ok"+overShown(1701, 6))
	expect(t, Decoder{Closed: closed(L2TP)})(frame, 0, "ok"+outer+"72")
}
