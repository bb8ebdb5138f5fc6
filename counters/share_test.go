package counters

import (
	"maps"
	"net/netip"
	"testing"
)

// TestShares merges hosts by address, of the directory and of aggregates in shares and at once.
func TestShares(t *testing.T) {
	var hosts []netip.Addr
	for i := range 200 {
		hosts = append(hosts, netip.AddrFrom4([4]byte{10, 0, byte(i / 50), byte(i)}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(i), 15: byte(i)}))
	}
	l, err := NewLayout(prefixes("10.0.0.0/22", "2001:db8::/32"), 2, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	if l.Directory == 0 {
		t.Fatal("no directory")
	}
	want := known(fill(t, l, hosts, 3, 0))
	for _, shares := range []int{1, 2, 7, 1000} {
		if got := known(fill(t, l, hosts, 3, shares)); !maps.Equal(got, want) || len(got) == 0 {
			t.Errorf("in %d shares: %d entries, want %d, or not the same", shares, len(got),
				len(want))
		}
	}
}
