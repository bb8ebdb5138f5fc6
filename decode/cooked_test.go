package decode

import (
	"encoding/binary"
	"testing"
)

func TestLinks_Success(t *testing.T) {
	f := func(link Link, frame []byte, want string) {
		t.Helper()
		var r Record
		s := new(Decoder).Decode(&r, link, frame, uint32(len(frame)))
		if got := show(&r, s); got != want {
			t.Errorf("link type %d:\n got %s\nwant %s", link, got, want)
		}
	}
	for _, link := range []Link{LinkRaw12, LinkRaw14, LinkRaw, LinkIPv4, LinkIPv6} {
		f(link, inner(), "ok "+innerShown)
		f(link, inner6(), "ok "+inner6Shown)
	}
	for _, link := range []Link{LinkNull, LinkLoop} {
		f(link, cat(u32(2), inner()), "ok "+innerShown)
		f(link, cat(binary.LittleEndian.AppendUint32(nil, 2), inner()), "ok "+innerShown)
		for _, family := range []uint32{10, 23, 24, 28, 30} {
			f(link, cat(u32(family), inner6()), "ok "+inner6Shown)
			f(link, cat(binary.LittleEndian.AppendUint32(nil, family), inner6()), "ok "+inner6Shown)
		}
	}
	sll := func(t uint16, rest []byte) []byte { return cat(fill(14), u16(t), rest) }
	sll2 := func(t uint16, rest []byte) []byte { return cat(u16(t), fill(18), rest) }
	f(LinkSLL, sll(0x0800, inner()), "ok "+innerShown)
	f(LinkSLL, sll(0x8100, tag(5, 0x86dd, inner6())), "ok vlan[5] "+inner6Shown)
	f(LinkSLL, sll(4, snap(0, 0x0800, inner())), "ok "+innerShown)
	f(LinkSLL2, sll2(0x86dd, inner6()), "ok "+inner6Shown)
	f(LinkSLL2, sll2(0x8847, stack(1, inner())), "ok mpls[16] "+innerShown)
	f(LinkSLL2, sll2(0x8864, pppoe(u16(pppIPv4), inner())), "ok pppoe "+innerShown)
	f(LinkPPP, cat(u16(pppFraming, pppIPv4), inner()), "ok "+innerShown)
	f(LinkPPP, cat([]byte{pppIPv6}, inner6()), "ok "+inner6Shown)
	f(LinkWLAN, cat([]byte{wlanData}, fill(23), snap(0, 0x0800, inner())), "ok "+innerShown)
	f(LinkMPLS, stack(1, inner()), "ok mpls[16] "+innerShown)
}

func TestLinks_Failure(t *testing.T) {
	f := func(link Link, frame []byte, want Status) {
		t.Helper()
		var r Record
		if s := new(Decoder).Decode(&r, link, frame, 100); s != want || r.Version != 0 {
			t.Errorf("link type %d: %s, want %s", link, show(&r, s), want)
		}
	}
	for _, link := range []Link{LinkNull, LinkEthernet, LinkRaw12, LinkRaw14, LinkRaw, LinkLoop,
		LinkSLL, LinkIPv4, LinkIPv6, LinkSLL2, LinkPPP, LinkWLAN, LinkMPLS} {
		f(link, nil, Truncated)
	}
	for _, link := range []Link{2, 9, 10, 104, 105, 107, 127, 227, 275, 277, 0xffff} {
		f(link, nil, UnknownLink)
		f(link, inner(), UnknownLink)
	}
	f(LinkRaw, inner()[:19], Truncated)
	f(LinkRaw, put(inner(), 0, 0x55), BadHeader)
	f(LinkNull, u32(2)[:3], Truncated)
	f(LinkNull, cat(u32(7), inner()), NotIP)
	f(LinkLoop, cat(u32(2), inner6()), BadHeader)
	f(LinkSLL, fill(15), Truncated)
	f(LinkSLL, cat(fill(14), u16(0x0806), fill(28)), NotIP)
	f(LinkSLL, cat(fill(14), u16(1), fill(28)), NotIP)
	f(LinkSLL2, fill(19), Truncated)
	f(LinkPPP, cat(u16(0xc021), fill(8)), NotIP)    // link control
	f(LinkWLAN, cat([]byte{0x80}, fill(60)), NotIP) // a beacon
}
