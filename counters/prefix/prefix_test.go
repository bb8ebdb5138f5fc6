package prefix

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// slow is the oracle: a linear scan.
type slow []Entry

func (s slow) lookup(ip netip.Addr) (v Value) {
	best := -1
	for _, e := range s {
		if e.Prefix.Contains(ip) && e.Prefix.Bits() >= best {
			best, v = e.Prefix.Bits(), e.Value
		}
	}
	return v
}

func halves(ip netip.Addr) (hi, lo uint64) {
	b := ip.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func randomAddr(r *rand.Rand, four bool) netip.Addr {
	if four {
		// Few distinct upper bytes, so that prefixes nest and addresses hit them.
		return netip.AddrFrom4([4]byte{byte(10 + r.IntN(2)), byte(r.IntN(3)), byte(r.IntN(4)),
			byte(r.Uint32())})
	}
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(r.IntN(2)), byte(r.IntN(2))}
	for i := 6; i < 16; i++ {
		b[i] = byte(r.IntN(3))
	}
	return netip.AddrFrom16(b)
}

func TestLookupMatchesScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var entries slow
		for i := range r.IntN(40) + 1 {
			ip := randomAddr(r, r.IntN(2) == 0)
			p, err := ip.Prefix(r.IntN(ip.BitLen() + 1))
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, Entry{p, Value(i + 1)})
		}
		table, err := New(entries)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			ip := randomAddr(r, r.IntN(2) == 0)
			want := entries.lookup(ip)
			if table.Foreign(halves(ip)) && want != 0 {
				t.Fatalf("Foreign(%v), but it has value %d of %v", ip, want, entries)
			}
			if got := table.Lookup(halves(ip)); got != want {
				t.Fatalf("Lookup(%v) = %d, want %d of %v", ip, got, want, entries)
			}
		}
	}
}

// All prefixes below one: lookups begin where they first differ.
func TestLookupBelowOne(t *testing.T) {
	f := func(prefixes ...string) {
		t.Helper()
		var entries slow
		for i, p := range prefixes {
			entries = append(entries, Entry{netip.MustParsePrefix(p), Value(i + 1)})
		}
		table, err := New(entries)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 4))
		for _, e := range entries {
			for range 2000 {
				b := e.Prefix.Addr().As16()
				for range r.IntN(4) { // near it: some bits of it or behind it are others
					bit := r.IntN(min(128, e.Prefix.Bits()+8))
					b[bit/8] ^= 0x80 >> (bit % 8)
				}
				ip := netip.AddrFrom16(b)
				if got, want := table.Lookup(halves(ip)), entries.lookup(ip); got != want {
					t.Fatalf("Lookup(%v) = %d, want %d of %v", ip, got, want, entries)
				}
			}
		}
	}
	f("2001:db8:1::/48")
	f("2001:db8:1::/48", "2001:db8:1:2000::/51", "2001:db8:1::1/128")
	f("2001:db8::/32", "2001:db8:1::/48")
	f("2001:db8::/33", "2001:db8:8000::/33")
	f("2001:db8::/32", "2001:db9::/32")
	f("2001:db8::/32", "2a00::/16")
	f("2001::/16")
	f("2001::/17")
	f("2000::/3", "2001:db8::/32")
	f("::/0")
	f("::/0", "2001:db8::1/128")
	f("2001:db8::1/128")
	f("2001:db8::/64", "2001:db8::1/128", "2001:db8:0:1::/64")
	f("2001:db8::1/128", "2001:db8::2/128")
	f("2001:db8:0:0:1::/72", "2001:db8:0:0:2::/72")
}

func TestNewRefuses(t *testing.T) {
	f := func(prefix string, v Value) {
		t.Helper()
		if _, err := New([]Entry{{netip.MustParsePrefix(prefix), v}}); err == nil {
			t.Errorf("New(%s, %d) gave no error", prefix, v)
		}
	}
	f("::ffff:10.0.0.0/104", 1)
	f("10.0.0.0/8", 0)
	f("10.0.0.0/8", 1<<31)
}

func TestNoAllocs(t *testing.T) {
	table, err := New([]Entry{{netip.MustParsePrefix("10.0.0.0/9"), 1},
		{netip.MustParsePrefix("2001:db8::/48"), 2}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		table.Lookup(0, 0xffff0a000001)
		table.Lookup(0x20010db8<<32, 1)
	}); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	table, err := New([]Entry{{netip.MustParsePrefix("10.0.0.0/8"), 1},
		{netip.MustParsePrefix("10.9.4.0/24"), 2},
		{netip.MustParsePrefix("2001:db8::/48"), 3}})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	f := func(name string, hi, lo func() uint64) {
		b.Run(name, func(b *testing.B) {
			var his, los [4096]uint64
			for i := range his {
				his[i], los[i] = hi(), lo()
			}
			var sink Value
			for i := 0; b.Loop(); i++ {
				sink += table.Lookup(his[i&4095], los[i&4095])
			}
			_ = sink
		})
	}
	zero := func() uint64 { return 0 }
	f("foreign4", zero, func() uint64 { return 0xffff<<32 | uint64(r.Uint32()) })
	f("home4", zero, func() uint64 { return 0xffff<<32 | 10<<24 | uint64(r.Uint32N(1<<24)) })
	f("home6", func() uint64 { return 0x20010db8<<32 | uint64(r.Uint32N(1<<16)) }, r.Uint64)
}
