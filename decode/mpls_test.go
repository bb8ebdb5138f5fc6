package decode

import "testing"

// stack is n labels from 16 before rest.
func stack(n int, rest []byte) []byte {
	for i := n - 1; i >= 0; i-- {
		rest = label(uint32(16+i), i == n-1, rest)
	}
	return rest
}

func TestMPLS_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x8847, stack(1, inner())), 0, "ok mpls[16] "+innerShown)
	f(eth(0x8848, stack(2, inner6())), 0, "ok mpls[16 17] "+inner6Shown)
	f(eth(0x8847, stack(MaxTags, inner())), 0, "ok mpls[16 17 18 19 20 21 22 23] "+innerShown)
	f(eth(0x8100, tag(3, 0x8847, label(1<<20-1, true, inner()))), 0,
		"ok vlan[3] mpls[1048575] "+innerShown)
	f(pad(eth(0x8847, stack(1, packet())), 64), 0, "ok mpls[16] "+plain)
}

func TestMPLS_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	f(eth(0x8847, stack(2, inner())), 21, "truncated mpls[16]")
	f(eth(0x8847, stack(1, nil)), 0, "truncated mpls[16]")
	f(eth(0x8847, stack(1, inner())), 30, "truncated mpls[16]")
	f(eth(0x8847, stack(MaxTags+1, inner())), 0, "too_deep mpls[16 17 18 19 20 21 22 23]")
	f(eth(0x8847, label(labelGAL, true, fill(40))), 0, "not_ip mpls[13]")
	f(eth(0x8847, stack(1, []byte{0x10, 0, 0, 0x21, 0x45})), 0, "not_ip mpls[16]") // PW ACH
}

func TestPseudowire_Success(t *testing.T) {
	f := expect(t, Decoder{})
	word := u32(0x1234)
	f(eth(0x8847, stack(2, cat(word, eth(0x0800, inner())))), 0,
		"ok mpls[16 17] mpls_pw "+innerShown)
	f(eth(0x8847, stack(1, eth(0x86dd, inner6()))), 0, "ok mpls[16] mpls_pw "+inner6Shown)
	f(eth(0x8847, stack(1, cat(word, eth(0x8100, tag(9, 0x0800, inner()))))), 0,
		"ok vlan[9] mpls[16] mpls_pw "+innerShown)
	f(eth(0x8847, stack(1, cat(word, dot3(snap(0, 0x0800, inner()))))), 0,
		"ok mpls[16] mpls_pw "+innerShown)

	// MAC addresses that begin like an IP header, or with zeros like a control word.
	for _, first := range []byte{0x40, 0x45, 0x60, 0x00, 0x10, 0xf0} {
		f(eth(0x8847, stack(1, put(eth(0x0800, inner()), 0, first))), 0,
			"ok mpls[16] mpls_pw "+innerShown)
	}
	f(eth(0x8847, stack(1, cat(word, eth(0x8847, stack(1, inner6()))))), 0,
		"ok mpls[16 16] mpls_pw "+inner6Shown)
}

func TestPseudowire_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := eth(0x8847, stack(1, cat(u32(0), eth(0x0800, inner()))))
	f(frame, 19, "truncated mpls[16]")
	f(frame, 30, "truncated mpls[16]")
	f(frame, 40, "truncated mpls[16]")
	f(eth(0x8847, stack(1, cat(u32(0), eth(0x0806, fill(28))))), 0, "not_ip mpls[16]")
	expect(t, Decoder{Closed: closed(MPLSPW)})(frame, 0, "ok mpls[16]")
}

// closed are the kinds of tunnel given.
func closed(kinds ...Tunnel) (c [NumTunnels]bool) {
	for _, k := range kinds {
		c[k] = true
	}
	return c
}
