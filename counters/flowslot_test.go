package counters

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func newFlowLayout(t testing.TB, workers int, budget uint64, networks ...string) *Layout {
	t.Helper()
	l, err := NewFlowLayout(prefixes(networks...), workers, budget)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestFlowMemoryIsWhatIsUsed holds the plan of tables of flow records to what they take.
func TestFlowMemoryIsWhatIsUsed(t *testing.T) {
	for _, workers := range []int{1, 3} {
		for _, nets := range [][]string{{"10.0.0.0/16"}, {"10.0.0.0/8", "2001:db8::/32"}} {
			l := newFlowLayout(t, workers, 256<<20, nets...)
			m := newMemory(t)
			newMerger(t, m, l)
			for range workers {
				newTable(t, m, l)
				newTable(t, m, l)
				newDirectory(t, m, l)
			}
			if got, want := m.Bytes(), l.Memory(); got != want || want > 256<<20 {
				t.Errorf("%v, %d workers: %d bytes, planned %d", nets, workers, got, want)
			}
			if l.FlowSlots < minFlowSlots {
				t.Errorf("%v: %d flow slots", nets, l.FlowSlots)
			}
		}
	}
}

// TestCountFlows counts random records, and compares every host's sums with a map's.
func TestCountFlows(t *testing.T) {
	l := newFlowLayout(t, 1, 64<<20, "10.0.0.0/24", "10.1.0.0/20")
	m := newMemory(t)
	table, g := newTable(t, m, l), newMerger(t, m, l)
	r := rand.New(rand.NewPCG(1, 2))
	type key struct {
		slot  uint32
		span  Span
		class Class
	}
	packets, bytes := map[key]uint64{}, map[key]uint64{}
	flows := map[key]uint64{}
	for epoch := range 3 {
		g.Reset(int64(epoch))
		clear(packets)
		clear(bytes)
		clear(flows)
		for range 500 {
			ops := make([]FlowOp, 1+r.IntN(64))
			for i := range ops {
				host := netip.AddrFrom4([4]byte{10, byte(r.IntN(2)), 0, byte(r.IntN(20))})
				slot, _, ok := l.Slot(host)
				if !ok {
					t.Fatal(host)
				}
				op := &ops[i]
				*op = FlowOp{
					Packets: r.Uint64N(1e6), Samples: 1, Rate: 1, Milli: r.Uint32N(200_000),
					Slot: slot + uint32(r.IntN(2)), Class: Class(r.IntN(4)),
				}
				op.Bytes = op.Packets * 100
				k := key{op.Slot, SpanOf(op.Milli), op.Class}
				packets[k] += op.Packets
				bytes[k] += op.Bytes
				flows[key{op.Slot, k.span, 0}]++
			}
			table.CountFlows(ops, 5)
		}
		g.Add(table, 1)
		for k, want := range packets {
			e := g.Make(Key{}, k.slot&^1, true, k.slot&1 != 0)
			sum := g.Told(e).Sum(k.span)
			if sum.Packets[k.class] != want || sum.Bytes[k.class] != bytes[k] {
				t.Fatalf("slot %d span %d class %d: %d packets, not %d", k.slot, k.span, k.class,
					sum.Packets[k.class], want)
			}
			if sum.Flows != flows[key{k.slot, k.span, 0}] {
				t.Fatalf("slot %d span %d: %d flows", k.slot, k.span, sum.Flows)
			}
		}
		if table.flowUsed != 0 {
			t.Fatal("the table was not cleared")
		}
	}
}

// Counts saturate, and hosts beyond the slots are counted as that.
func TestCountFlowsFull(t *testing.T) {
	l := newFlowLayout(t, 1, 64<<20, "10.0.0.0/16")
	l.FlowSlots = 2
	table := newTable(t, newMemory(t), l)
	huge := FlowOp{Packets: 1 << 63, Bytes: 1 << 63, Samples: 1, Rate: 1, Slot: 4}
	table.CountFlows([]FlowOp{huge, huge, huge, {Slot: 6}, {Slot: 8}, {Slot: 10}}, 0)
	if got := table.Stats.Exports.Unslotted; got != 2 {
		t.Errorf("%d counts without a slot", got)
	}
	if got := table.flowSlots[0].sum(UpTo1s).Packets[TCP]; got != 1<<64-1 {
		t.Errorf("%d packets", got)
	}
}

// A flow that took longer than Spread counts by its part; its rate is all of it.
func TestCountFlowsLong(t *testing.T) {
	l := newFlowLayout(t, 1, 64<<20, "10.0.0.0/16")
	table := newTable(t, newMemory(t), l)
	ops := []FlowOp{{Packets: 1000, Bytes: 100_000, Samples: 1, Rate: 1, Milli: 1_000_000}}
	table.CountFlows(ops, 0)
	sum := table.FlowSlot(&ops[0]).sum(Longer)
	if sum.Packets[TCP] != 300 || sum.Bytes[TCP] != 30_000 || sum.Seconds != 300 {
		t.Errorf("%+v", sum)
	}
}

func (s *FlowSlot) sum(span Span) FlowSum { return s.spans[span].sum(span, &s.age) }

func TestCountFlowsNoAllocs(t *testing.T) {
	l := newFlowLayout(t, 1, 64<<20, "10.0.0.0/16")
	m := newMemory(t)
	table, g := newTable(t, m, l), newMerger(t, m, l)
	ops := make([]FlowOp, 64)
	for i := range ops {
		ops[i] = FlowOp{
			Packets: 1, Bytes: 60, Samples: 1, Rate: 1000, Slot: uint32(i), Mark: MarkFirstSYN,
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		table.CountFlows(ops, 0)
		g.Add(table, 1)
		g.Reset(0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
