package decode

import "testing"

// pppoe is a PPPoE session header and a PPP protocol field.
func pppoe(protocol []byte, rest ...[]byte) []byte {
	body := cat(protocol, cat(rest...))
	return cat([]byte{0x11, 0}, u16(7, uint16(len(body))), body)
}

func TestPPPoE_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(pad(eth(0x8864, pppoe(u16(pppIPv4), packet())), 60), 0, "ok pppoe "+plain)
	f(eth(0x8864, pppoe(u16(pppIPv6), inner6())), 0, "ok pppoe "+inner6Shown)
	f(eth(0x8864, pppoe([]byte{0x21}, inner())), 0, "ok pppoe "+innerShown) // compressed
	f(eth(0x8864, pppoe([]byte{0xff, 3, 0, 0x21}, inner())), 0, "ok pppoe "+innerShown)
	f(eth(0x8864, pppoe(u16(pppMPLS), stack(1, inner()))), 0, "ok mpls[16] pppoe "+innerShown)
	f(eth(0x8100, tag(2, 0x8864, pppoe(u16(pppIPv4), inner()))), 0, "ok vlan[2] pppoe "+innerShown)
}

func TestPPPoE_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := eth(0x8864, pppoe(u16(pppIPv4), inner()))
	f(frame, 19, "truncated")
	f(frame, 21, "truncated")
	f(frame, 30, "truncated")
	f(put(frame, 14, 0x12), 0, "bad_header")
	f(put(frame, 15, 0xa7), 0, "not_ip") // discovery
	f(put(frame, 18, 0, 99), 0, "bad_length pppoe "+innerShown)
	f(put(frame, 18, 0, 1), 0, "truncated")
	f(put(frame, 18, 0, 30), 0,
		"bad_length pppoe 10.0.0.1:53 > 10.0.0.2:4444 proto 17 len 34 bytes 28")
	f(eth(0x8864, pppoe(u16(0xc021), fill(8))), 0, "not_ip") // LCP
	f(eth(0x8863, pppoe(nil)), 0, "not_ip")
	expect(t, Decoder{Closed: closed(PPPoE)})(frame, 0, "ok")
}
