package bench

import (
	"errors"
	"fmt"
	"net/netip"

	"weir/counters"
	"weir/decode"
	"weir/fastpath"
	"weir/tools/blast"
)

// seed makes every random choice of a benchmark the same in every run.
const seed = 0x77656972

// Home returns the networks that the workloads attack: tables for 2^24 IPv4 hosts.
func Home() []netip.Prefix { return []netip.Prefix{blast.Home4(), blast.Home6()} }

// HomeOf returns the network that w's hosts are in, and no sources: no wider than they need, so
// that tables for it fit where those for all of Home would not.
func HomeOf(w *blast.Workload) netip.Prefix {
	switch {
	case w.Home != blast.Home4() || w.Hosts > 1<<20:
		return w.Home
	case w.Hosts > 1<<16:
		return scaleHome()[0]
	case w.Hosts > 1:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 16)
}

// tables are what one worker counts in, and the control loop's half of a flip.
type tables struct {
	memory    counters.Memory
	layout    *counters.Layout
	policy    *fastpath.Policy
	pair      [2]*counters.Table
	merger    *counters.Merger
	directory *counters.Directory
	epochs    [2]fastpath.Epoch
	seq       uint64
	flipped   int64 // nanoseconds of the stream's clock
}

// planner is counters.NewLayout or counters.NewFlowLayout.
type planner func([]netip.Prefix, int, uint64) (*counters.Layout, error)

// memoryBudget is what a benchmark may take: three quarters of the machine's memory, and 16 GiB.
func memoryBudget() (uint64, error) {
	total, err := counters.MachineMemory()
	return min(1<<34, total/4*3), err
}

// newTables takes at most what a benchmark may.
func newTables(plan planner, networks []netip.Prefix, hostgroups int) (t *tables, err error) {
	budget, err := memoryBudget()
	if err != nil {
		return nil, err
	}
	return newTablesWithin(plan, networks, hostgroups, budget)
}

// newTablesWithin takes at most budget bytes.
func newTablesWithin(
	plan planner, networks []netip.Prefix, hostgroups int, budget uint64,
) (t *tables, err error) {
	t = &tables{seq: 1}
	if t.layout, err = plan(networks, 1, budget); err != nil {
		return nil, err
	}
	t.policy, err = fastpath.NewPolicy(t.layout, groups(hostgroups), &decode.Decoder{}, 1)
	if err != nil {
		return nil, err
	}
	var errs [4]error
	t.pair[0], errs[0] = counters.NewTable(&t.memory, t.layout)
	t.pair[1], errs[1] = counters.NewTable(&t.memory, t.layout)
	t.merger, errs[2] = counters.NewMerger(&t.memory, t.layout)
	t.directory, errs[3] = counters.NewDirectory(&t.memory, t.layout, seed)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, t.memory.Close())
	}
	return t, nil
}

// groups returns n hostgroups, limits armed for all.
func groups(n int) []fastpath.Group {
	out := make([]fastpath.Group, max(1, n))
	for i := range out {
		if i > 0 {
			ip := netip.AddrFrom4([4]byte{10, 9, byte(i), 0})
			out[i].Prefixes = []netip.Prefix{netip.PrefixFrom(ip, 24)}
		}
		for d := range out[i].Limits {
			l := &out[i].Limits[d]
			l.Packets[fastpath.Total], l.Bytes[fastpath.Total], l.Flows = 20_000, 125_000_000, 3500
			l.Packets[fastpath.SYN] = 10_000
		}
	}
	return out
}

// first is the epoch that a worker begins with.
func (t *tables) first() fastpath.Epoch {
	return fastpath.Epoch{Seq: 1, Policy: t.policy, Table: t.pair[0], Directory: t.directory}
}

// worker is fastpath.Worker or fastpath.FlowWorker.
type worker interface {
	Publish(e *fastpath.Epoch)
	Acked() uint64
	Step() (int, error)
}

// table is the one that the worker counts in.
func (t *tables) table() *counters.Table { return t.pair[(t.seq-1)&1] }

// next returns the table in use, and the epoch with the other one.
func (t *tables) next() (old *counters.Table, next *fastpath.Epoch) {
	old = t.table()
	t.seq++
	next = &t.epochs[t.seq&1] // nobody holds it: the worker has left it an epoch ago
	*next = fastpath.Epoch{
		Seq: t.seq, Policy: t.policy, Table: t.table(), Directory: t.directory,
	}
	return old, next
}

// merge merges and empties a table that the worker has left.
func (t *tables) merge(old *counters.Table) {
	t.merger.Reset(0)
	t.merger.Add(old, 1)
}

// flip moves w to the other table and merges the one that it left, once there is nothing to poll.
func (t *tables) flip(w worker) error {
	old, next := t.next()
	w.Publish(next)
	if _, err := w.Step(); err != nil || w.Acked() != t.seq {
		return fmt.Errorf("flip to epoch %d: acknowledged %d: %w", t.seq, w.Acked(), err)
	}
	t.merge(old)
	return nil
}
