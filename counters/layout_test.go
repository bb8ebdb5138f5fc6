package counters

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestLayoutFits(t *testing.T) {
	f := func(budget uint64, direct int, networks ...string) {
		t.Helper()
		for _, workers := range []int{1, 4} {
			l, err := NewLayout(prefixes(networks...), workers, budget*uint64(workers))
			if err != nil {
				t.Errorf("%v in %d bytes: %v", networks, budget, err)
				continue
			}
			n := 0
			for i := range l.Networks {
				if l.Networks[i].Direct {
					n++
				}
			}
			if n != direct || l.Memory() > l.Budget {
				t.Errorf("%v in %d bytes: %d direct networks, %d bytes; want %d direct", networks,
					budget, n, l.Memory(), direct)
			}
		}
	}
	f(1<<30, 1, "10.0.0.0/16")
	f(1<<30, 2, "10.0.0.0/16", "2001:db8::/112")
	f(1<<30, 1, "10.0.0.0/16", "2001:db8::/48")
	f(1<<30, 1, "10.0.0.0/8", "192.0.2.0/24")
	f(1<<28, 0, "0.0.0.0/0")
	f(16<<30, 1, "10.0.0.0/8")
}

// TestManyNetworks plans as many networks as a large configuration names, which do not all fit.
func TestManyNetworks(t *testing.T) {
	var nets []netip.Prefix
	for i := range 20_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
		if i%2 == 1 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i)})
		}
		nets = append(nets, netip.PrefixFrom(a, 24+24*(i%2)))
	}
	l, err := NewLayout(nets, 1, 256<<20)
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for i := range l.Networks {
		if l.Networks[i].Direct {
			direct++
		}
	}
	if direct == 0 || direct == len(nets) || l.Memory() > 256<<20 {
		t.Errorf("%d of %d networks direct in %d bytes", direct, len(nets), l.Memory())
	}
}

func TestLayoutRefuses(t *testing.T) {
	f := func(want string, budget uint64, workers int, networks ...string) {
		t.Helper()
		_, err := NewLayout(prefixes(networks...), workers, budget)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewLayout(%v, %d, %d): error %v, want one with %q", networks, workers, budget,
				err, want)
		}
	}
	f("no networks", 1<<30, 1)
	f("0 workers", 1<<30, 0, "10.0.0.0/24")
	f("the smallest plan", 1<<12, 1, "10.0.0.0/24")
}

// TestMemoryIsWhatIsUsed holds the figure printed before start to what is taken.
func TestMemoryIsWhatIsUsed(t *testing.T) {
	for _, workers := range []int{1, 3} {
		l := newLayout(t, workers, "10.0.0.0/18", "2001:db8::/40", "198.51.100.0/24")
		m := newMemory(t)
		newMerger(t, m, l)
		for w := range workers {
			newTable(t, m, l)
			newTable(t, m, l)
			if _, err := NewDirectory(m, l, uint64(w)); err != nil {
				t.Fatal(err)
			}
		}
		if m.Bytes() != l.Memory() {
			t.Errorf("%d workers: planned %d bytes, took %d", workers, l.Memory(), m.Bytes())
		}
	}
}

func TestSlotAndKeyAreInverse(t *testing.T) {
	l := newLayout(t, 1, "10.0.0.0/20", "172.16.0.0/12", "2001:db8::/48", "2001:db8:1::/64",
		"2001:db8:2::/40", "2001:db8:900::/126")
	r := rand.New(rand.NewPCG(1, 2))
	for i := range l.Networks {
		n := &l.Networks[i]
		for range 200 {
			at := r.Uint32N(n.Count)
			k := n.key(at)
			slot, direct, ok := l.Slot(k.Addr())
			if !ok || direct != n.Direct || slot != n.Base+2*at {
				t.Fatalf("%v of %v: slot %d, direct %v, ok %v; want %d", k.Addr(), n.Prefix, slot,
					direct, ok, n.Base+2*at)
			}
		}
	}
	if _, _, ok := l.Slot(netip.MustParseAddr("8.8.8.8")); ok {
		t.Error("a foreign address has a slot")
	}
}

func TestAggregatesAreBounded(t *testing.T) {
	f := func(network string, wantLength int) {
		t.Helper()
		p := netip.MustParsePrefix(network)
		if got := p.Addr().BitLen() - int(aggregateShift(p, aggregateBits)); got != wantLength {
			t.Errorf("aggregates of %s have length %d, want %d", network, got, wantLength)
		}
	}
	f("0.0.0.0/0", 16)
	f("10.0.0.0/8", 24)
	f("2001:db8::/32", 48)
	f("2001:db8::/48", 64)
	f("2001:db8::/56", 64)
	f("2001:db8::/64", 64)
	f("2001:db8::/100", 100)
}
