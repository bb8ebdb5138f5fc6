package counters

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
)

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func newLayout(t testing.TB, workers int, networks ...string) *Layout {
	t.Helper()
	l, err := NewLayout(prefixes(networks...), workers, 1<<31)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newTable(t testing.TB, m *Memory, l *Layout) *Table {
	t.Helper()
	table, err := NewTable(m, l)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func newMerger(t testing.TB, m *Memory, l *Layout) *Merger {
	t.Helper()
	g, err := NewMerger(m, l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newMemory(t testing.TB) *Memory {
	m := &Memory{}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// count makes one op the way a worker does, with the first touch noted.
func count(t *Table, op Op, now int64) {
	for range t.Count([]Op{op}, 0, nil) {
		t.Touch(op.Line, now)
		t.Slot(op.Line).Arm(1000)
	}
}

// twin counts the slow way.
type twin struct {
	packets, bytes [NumClasses]uint64
	flows          map[uint32]bool
	first          int64
}

type side struct {
	addr     netip.Addr
	outgoing bool
}

// add adds tables to g: by Add alone, or in so many shares at the same time.
func add(g *Merger, shares int, tables ...*Table) {
	if shares > 0 {
		for _, t := range tables {
			g.Reserve(t)
		}
		var all sync.WaitGroup
		for number := range shares {
			all.Go(func() {
				for _, t := range tables {
					g.AddShare(t, 1, number, shares)
				}
			})
		}
		all.Wait()
	}
	for _, t := range tables {
		g.Add(t, 1)
	}
}

func TestMergeMatchesMap(t *testing.T) {
	for _, shares := range []int{0, 1, 3} {
		mergeMatchesMap(t, shares)
	}
}

func mergeMatchesMap(t *testing.T, shares int) {
	t.Helper()
	for _, workers := range []int{1, 3} {
		l := newLayout(t, workers, "10.0.0.0/24", "10.0.2.0/23", "2001:db8::/120", "192.0.2.7/32")
		m := newMemory(t)
		g := newMerger(t, m, l)
		var tables [3][2]*Table
		for w := range workers {
			tables[w] = [2]*Table{newTable(t, m, l), newTable(t, m, l)}
		}
		r := rand.New(rand.NewPCG(7, uint64(workers)))
		now := int64(1e18)
		for epoch := range 8 {
			want := map[side]*twin{}
			g.Reset(now)
			for range 1 + epoch%3 { // several flips between two resets
				for w := range workers {
					table := tables[w][epoch&1]
					table.Start = now
					for i := range int64(2000) {
						countRandom(r, table, want, now+500*i)
					}
				}
				var left []*Table
				for w := range workers {
					left = append(left, tables[w][epoch&1])
				}
				add(g, shares, left...)
				now += 1e6
			}
			g.Sort()
			compare(t, g, want)
		}
	}
}

func countRandom(r *rand.Rand, table *Table, want map[side]*twin, now int64) {
	nets := table.Layout.Networks
	n := &nets[r.IntN(len(nets))]
	i := uint32(r.IntN(int(n.Count)))
	s := side{n.key(i).Addr(), r.IntN(2) == 1}
	op := Op{
		Line:  Line(n.Base + 2*i),
		Hash:  uint32(r.IntN(50)) * 0x9e3779b1,
		Bytes: uint32(r.IntN(1500)),
		Class: Class(r.IntN(4)),
		Mark:  uint8(r.IntN(4)),
	}
	if s.outgoing {
		op.Line = Line(n.Base + 2*i + 1)
	}
	count(table, op, now)
	w := want[s]
	if w == nil {
		w = &twin{flows: map[uint32]bool{}, first: now}
		want[s] = w
	}
	w.first = min(w.first, now)
	w.flows[op.Hash] = true
	for _, c := range []struct {
		class Class
		in    bool
	}{{op.Class, true}, {SYN, op.Mark&MarkSYN != 0}, {Frag, op.Mark&MarkFrag != 0}} {
		if c.in {
			w.packets[c.class]++
			w.bytes[c.class] += uint64(op.Bytes)
		}
	}
}

func compare(t *testing.T, g *Merger, want map[side]*twin) {
	t.Helper()
	if g.Len() != len(want) {
		t.Fatalf("%d entries, want %d", g.Len(), len(want))
	}
	for i := range g.Len() {
		e := g.Entry(i)
		if i > 0 {
			p := g.Entry(i - 1)
			if c := p.Key.Compare(e.Key); c > 0 || c == 0 && (p.Outgoing() || !e.Outgoing()) {
				t.Fatalf("entries %d and %d are out of order: %v %v", i-1, i, p.Key.Addr(),
					e.Key.Addr())
			}
		}
		w := want[side{e.Key.Addr(), e.Outgoing()}]
		if w == nil {
			t.Fatalf("entry %v that was never counted", e.Key.Addr())
		}
		if e.packets != w.packets || e.bytes != w.bytes {
			t.Fatalf("%v: packets %v bytes %v, want %v %v", e.Key.Addr(), e.packets, e.bytes,
				w.packets, w.bytes)
		}
		if first := g.First(e); first/1000 != w.first/1000 {
			t.Fatalf("%v: first packet at %d, want %d", e.Key.Addr(), first, w.first)
		}
		slot, direct, ok := g.layout.Slot(e.Key.Addr())
		if !ok || g.Find(e.Key, slot, direct, e.Outgoing()) != e {
			t.Fatalf("Find(%v) does not find its entry", e.Key.Addr())
		}
		n, _ := g.Flows(e)
		if exact := float64(len(w.flows)); math.Abs(float64(n)-exact) > 4+exact/3 {
			t.Fatalf("%v: %d flows, want about %v", e.Key.Addr(), n, exact)
		}
	}
}

func TestFlowEstimate(t *testing.T) {
	// flow → worker, as RSS may spread them; the counts must not depend on it.
	f := func(workers, flows, repeats int, within float64) {
		t.Helper()
		l := newLayout(t, workers, "10.0.0.0/30")
		m := newMemory(t)
		g := newMerger(t, m, l)
		r := rand.New(rand.NewPCG(uint64(flows), uint64(workers)))
		hashes := make([]uint32, flows)
		for i := range hashes {
			hashes[i] = r.Uint32()
		}
		tables := make([]*Table, workers)
		for w := range tables {
			tables[w] = newTable(t, m, l)
		}
		for epoch := range 3 { // from the second epoch on slabs are sized by the one before
			g.Reset(0)
			for range repeats {
				for i, h := range hashes {
					count(tables[i%workers], Op{Hash: h}, 0)
				}
			}
			for _, table := range tables {
				g.Add(table, 1)
			}
			n, low := g.Flows(g.Entry(0))
			off := math.Abs(float64(n)-float64(flows)) / float64(flows)
			if off > within && !(low && n < uint64(flows)) {
				t.Errorf("%d workers, %d flows × %d, epoch %d: %d (at least: %v), off by %.1f %%",
					workers, flows, repeats, epoch, n, low, 100*off)
			}
			if epoch > 0 && low && flows < 15000 {
				t.Errorf("%d workers, %d flows: still a lower bound in epoch %d", workers, flows,
					epoch)
			}
		}
	}
	for _, workers := range []int{1, 2, 4, 8} {
		f(workers, 10, 3, 0.35)
		f(workers, 200, 3, 0.12)
		f(workers, 1000, 2, 0.12)
		f(workers, 3500, 1, 0.08)
		f(workers, 3500, 4, 0.08)
		f(workers, 12000, 2, 0.08)
	}
}

func TestFlowSlabsRunOut(t *testing.T) {
	l := newLayout(t, 1, "10.0.0.0/22")
	l.Small, l.Big = 4, 1
	m := newMemory(t)
	g, table := newMerger(t, m, l), newTable(t, m, l)
	g.Reset(0)
	for host := range uint32(20) {
		for flow := range uint32(100) {
			count(table, Op{Line: Line(2 * host), Hash: flow * 0x9e3779b1}, 0)
		}
	}
	if table.flows.exhausted == 0 {
		t.Error("no exhaustion counted")
	}
	g.Add(table, 1)
	bounded := 0
	for i := range g.Len() {
		n, low := g.Flows(g.Entry(i))
		if low {
			bounded++
		} else if n < 80 || n > 120 {
			t.Errorf("host %d: %d flows, not marked as a lower bound", i, n)
		}
	}
	if bounded != 16 {
		t.Errorf("%d hosts marked as lower bounds, want the 16 without a slab", bounded)
	}
}

func TestSprayTakesNoSlab(t *testing.T) {
	l := newLayout(t, 1, "10.0.0.0/16")
	table := newTable(t, newMemory(t), l)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range uint32(1 << 16) {
		count(table, Op{Line: Line(2 * i), Hash: r.Uint32()}, 0)
	}
	if table.flows.usedSmall != 0 {
		t.Errorf("a spray of one packet per host took %d slabs", table.flows.usedSmall)
	}
}

func TestSpill(t *testing.T) {
	l := newLayout(t, 1, "10.0.0.0/30")
	m := newMemory(t)
	g, table := newMerger(t, m, l), newTable(t, m, l)
	g.Reset(0)
	count(table, Op{Line: Line(3), Bytes: 60, Class: UDP}, 0)
	s := table.Slot(Line(3))
	const packets = uint64(5 * spillAt)
	for range 5 { // as if that many packets had been counted between two looks
		s.count[UDP] += spillAt<<bytesBits + spillAt*60
		table.Touch(Line(3), 0)
	}
	g.Add(table, 1)
	if e := g.Entry(0); e.Packets(UDP) != packets+1 || e.Bytes(UDP) != 60*(packets+1) {
		t.Errorf("%d packets, %d bytes; want %d and %d", e.Packets(UDP), e.Bytes(UDP), packets+1,
			60*(packets+1))
	}
}

func TestScale(t *testing.T) {
	l := newLayout(t, 1, "10.0.0.0/30")
	m := newMemory(t)
	g, table := newMerger(t, m, l), newTable(t, m, l)
	g.Reset(0)
	for range 10 {
		count(table, Op{Bytes: 100}, 0)
	}
	g.Add(table, 2.5)
	if e := g.Entry(0); e.Packets(TCP) != 25 || e.Bytes(TCP) != 2500 {
		t.Errorf("10 packets scaled by 2.5: %d packets, %d bytes", e.Packets(TCP), e.Bytes(TCP))
	}
	if _, low := g.Flows(g.Entry(0)); !low {
		t.Error("flows among unseen packets are not known, yet the estimate is no lower bound")
	}
}

func TestNoAllocs(t *testing.T) {
	l := newLayout(t, 2, "10.0.0.0/16", "2001:db8::/32")
	m := newMemory(t)
	g, table := newMerger(t, m, l), newTable(t, m, l)
	d, err := NewDirectory(m, l, 1)
	if err != nil {
		t.Fatal(err)
	}
	ops := make([]Op, 64)
	expired := make([]uint8, 0, 64)
	r := rand.New(rand.NewPCG(1, 1))
	if n := testing.AllocsPerRun(200, func() {
		g.Reset(0)
		for i := range ops {
			ops[i] = Op{Line: Line(r.Uint32N(l.DirBase)), Hash: r.Uint32(), Bytes: 60}
			k := Key{0x20010db8 << 32, r.Uint64N(64)}
			if e, ok, _ := d.Admit(k, d.Hash(k), 2, 1); ok && i%2 == 0 {
				ops[i].Line = Line(l.DirBase + 2*e)
				table.Name(e, k)
			}
		}
		table.Prefetch(ops)
		table.PrefetchBitmaps(ops)
		for _, i := range table.Count(ops, 0, expired) {
			table.Touch(ops[i].Line, 0)
		}
		g.Add(table, 1)
		g.Sort()
		for i := range g.Len() {
			g.Flows(g.Entry(i))
		}
	}); n != 0 {
		t.Errorf("a round of counting and merging allocates %v times", n)
	}
}

// Lines are a permutation within a block's pair; what lies beside a host's slot is its neighbour's
// for the same direction.
func TestLine(t *testing.T) {
	for slot := range uint32(3 * (pairMask + 1)) {
		line := Line(slot)
		if SlotOf(line) != slot || line&^pairMask != slot&^pairMask {
			t.Fatalf("slot %d lies in line %d, there lies %d", slot, line, SlotOf(line))
		}
		if op := (Op{Line: line}); op.Side() != slot&1 {
			t.Fatalf("slot %d is of side %d", slot, op.Side())
		}
		if beside := SlotOf(line ^ 1); beside != slot^2 {
			t.Fatalf("beside slot %d lies %d", slot, beside)
		}
	}
}
