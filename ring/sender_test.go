package ring

import (
	"net/netip"
	"testing"
)

func TestSender(t *testing.T) {
	for _, text := range []string{"192.0.2.9:2055", "[2001:db8::9]:65535"} {
		var b [SenderLen]byte
		from := netip.MustParseAddrPort(text)
		PutSender(b[:], from)
		hi, lo, port := Sender(b[:])
		want := from.Addr().As16()
		if hi != be(want[:8]) || lo != be(want[8:]) || port != from.Port() {
			t.Errorf("%s: %x %x %d", text, hi, lo, port)
		}
	}
}

func be(b []byte) (v uint64) {
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v
}
