package counters

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// fill merges random packets to and from hosts into a merger of l, in shares as add does.
func fill(t *testing.T, l *Layout, hosts []netip.Addr, seed uint64, shares int) *Merger {
	t.Helper()
	m := &Memory{}
	t.Cleanup(func() { _ = m.Close() })
	table, err := NewTable(m, l)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewMerger(m, l)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := NewDirectory(m, l, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.Reset(1000)
	table.Start, table.Epoch = 1000, 1
	r := rand.New(rand.NewPCG(seed, 2))
	for range 20_000 {
		host := hosts[r.IntN(len(hosts))]
		key := KeyOf(host)
		slot, direct, ok := l.Slot(host)
		if !ok {
			continue
		}
		side := uint32(r.IntN(2))
		if !direct {
			if entry, listed := dir.Find(key, dir.Hash(key)); listed {
				slot = l.DirBase + 2*entry
			} else if entry, listed, _ := dir.Admit(key, dir.Hash(key), 1, 1); listed {
				slot = l.DirBase + 2*entry
				table.Name(entry, key)
			}
		}
		op := Op{Line: Line(slot + side), Hash: r.Uint32(), Bytes: 100, Class: Class(r.IntN(4))}
		for range table.Count([]Op{op}, 0, nil) {
			table.Touch(op.Line, 2000)
			table.Slot(op.Line).Arm(1 << 30)
		}
	}
	add(g, shares, table)
	g.Sort()
	return g
}

// known returns what a merger holds, by host and direction.
func known(g *Merger) map[string][3]uint64 {
	out := map[string][3]uint64{}
	for i := range g.Len() {
		e := g.Entry(i)
		packets, bytes := e.Total()
		flows, _ := g.Flows(e)
		name := e.Key.Addr().String()
		if e.Outgoing() {
			name += " out"
		}
		if e.Aggregate() {
			name += " aggregate"
		}
		out[name] = [3]uint64{packets, bytes, flows}
	}
	return out
}

// A second that began under one layout goes on under another: every host of both has all of its
// packets, bytes and flows, whether its slot is by address or in the directory.
func TestTake(t *testing.T) {
	prefixes := func(text ...string) (out []netip.Prefix) {
		for _, p := range text {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	layout := func(budget uint64, text ...string) *Layout {
		l, err := NewLayout(prefixes(text...), 1, budget)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	var hosts []netip.Addr
	for _, text := range []string{
		"10.0.0.1", "10.0.0.2", "10.0.1.77", "192.0.2.5", "2001:db8::1", "2001:db8:1::2",
		"2001:db8:2::3",
	} {
		hosts = append(hosts, netip.MustParseAddr(text))
	}
	f := func(older, newer *Layout, lost bool) {
		t.Helper()
		before := fill(t, older, hosts, 7, 0)
		m := &Memory{}
		defer m.Close()
		after, err := NewMerger(m, newer)
		if err != nil {
			t.Fatal(err)
		}
		left := after.Take(before)
		after.Sort()
		want, got := known(before), known(after)
		var missing uint64
		for name, counts := range want {
			switch have, ok := got[name]; {
			case !ok:
				missing += counts[0]
			case have != counts:
				t.Errorf("%s: %v, want %v", name, have, counts)
			}
		}
		if left != missing || (left > 0) != lost || len(got) == 0 {
			t.Errorf("%d packets left out, want %d; %d entries", left, missing, len(got))
		}
		if after.Start != before.Start {
			t.Error("offsets count from another start")
		}
	}
	wide := layout(256<<20, "10.0.0.0/16", "192.0.2.0/24", "2001:db8::/32")
	f(wide, layout(256<<20, "10.0.0.0/16", "192.0.2.0/24", "2001:db8::/32"), false)
	f(wide, layout(256<<20, "10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"),
		false)
	f(wide, layout(256<<20, "10.0.0.0/24", "2001:db8::/48"), true)
	f(layout(256<<20, "2001:db8::/32"), layout(256<<20, "2001:db8::/40", "10.0.0.0/16"), false)
}
