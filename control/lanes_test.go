package control

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/counters"
)

// What lanes merge is what one core merges, from every kind of table: crowded, sparse, with flows
// in slabs, scaled, and of hosts in the directory.
func TestLanes(t *testing.T) {
	nets := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/15"), netip.MustParsePrefix("2001:db8::/48"),
	}
	l, err := counters.NewLayout(nets, 2, 512<<20)
	if err != nil {
		t.Fatal(err)
	}
	many := newLanes(3)
	defer many.close()
	for _, scale := range []float64{1, 2.5} {
		var want []merged
		for _, lanes := range []*lanes{nil, many} {
			m := &counters.Memory{}
			g, err := counters.NewMerger(m, l)
			if err != nil {
				t.Fatal(err)
			}
			for worker := range uint64(2) {
				table, err := counters.NewTable(m, l)
				if err != nil {
					t.Fatal(err)
				}
				fillTable(t, table, rand.New(rand.NewPCG(worker, 1)))
				lanes.merge(g, table, scale)
				if busy := table.Busy(); busy != 0 {
					t.Errorf("%d words are left of the table", busy)
				}
			}
			g.Sort()
			got := make([]merged, g.Len())
			for i := range got {
				got[i] = mergedOf(g, g.Entry(i))
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
				continue
			}
			if len(got) != len(want) {
				t.Fatalf("%d hosts with lanes, %d without", len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("host %d: %+v with lanes, %+v without", i, got[i], want[i])
				}
			}
		}
	}
}

// fillTable counts in 100,000 slots of t, in some of them many flows.
func fillTable(t *testing.T, table *counters.Table, r *rand.Rand) {
	t.Helper()
	var expired [1]uint8
	for range 100_000 {
		slot := 2 * r.Uint32N(1<<17)
		packets := 1
		if r.IntN(1000) == 0 {
			packets = 200 // takes a slab
		}
		for range packets {
			op := [1]counters.Op{{
				Line: counters.Line(slot), Hash: r.Uint32(), Bytes: 60 + r.Uint32N(1000),
				Class: counters.UDP,
			}}
			if len(table.Count(op[:], 0, expired[:0])) > 0 {
				table.Touch(op[0].Line, table.Start)
				table.Slot(op[0].Line).Arm(1 << 20)
			}
		}
	}
	if table.Busy() < worthSharing {
		t.Fatalf("%d words are too few to be shared", table.Busy())
	}
}

// merged is what was counted of a host: numbers of bitmaps are in order of appearance.
type merged struct {
	key            counters.Key
	outgoing, warm bool
	packets, bytes [counters.NumClasses]uint64
	flows          uint64
	atLeast        bool
}

func mergedOf(g *counters.Merger, e *counters.Entry) (out merged) {
	out.key, out.outgoing, out.warm = e.Key, e.Outgoing(), e.Warm()
	for c := range counters.NumClasses {
		out.packets[c], out.bytes[c] = e.Packets(c), e.Bytes(c)
	}
	out.flows, out.atLeast = g.Flows(e)
	return out
}
