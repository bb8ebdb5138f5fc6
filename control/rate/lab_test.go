package rate

import (
	"net/netip"
	"testing"

	"weir/counters"
)

// epoch is when every test begins: a whole second.
const epoch = int64(1_700_000_000e9)

// lab is one worker's table, the merger, and a Watch, driven as the control loop drives them.
type lab struct {
	layout *counters.Layout
	table  *counters.Table
	merger *counters.Merger
	watch  *Watch
	listed map[counters.Key]uint32 // directory entries of hosts in wide networks
	tick   int64                   // the last
	last   int64                   // flip
}

func newLab(tb testing.TB, size int, networks ...string) *lab {
	tb.Helper()
	var nets []netip.Prefix
	for _, n := range networks {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	l := &lab{watch: NewWatch(size), listed: map[counters.Key]uint32{}, tick: epoch, last: epoch}
	m := &counters.Memory{}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	var err error
	if l.layout, err = counters.NewLayout(nets, 1, 64<<20); err != nil {
		tb.Fatal(err)
	}
	if l.table, err = counters.NewTable(m, l.layout); err != nil {
		tb.Fatal(err)
	}
	if l.merger, err = counters.NewMerger(m, l.layout); err != nil {
		tb.Fatal(err)
	}
	l.table.Start = epoch
	l.merger.Reset(epoch)
	return l
}

// sample is one packet. Flows 0 to 4 are told apart exactly.
type sample struct {
	at    int64
	class counters.Class
	mark  uint8
	bytes uint64
	flow  int
}

func keyOf(addr string) counters.Key { return counters.KeyOf(netip.MustParseAddr(addr)) }

func (l *lab) packet(addr string, outgoing bool, s sample) {
	l.packetOf(keyOf(addr), outgoing, s)
}

// packetOf counts one packet the way a worker does.
func (l *lab) packetOf(key counters.Key, outgoing bool, s sample) {
	op := counters.Op{
		Hash: uint32(s.flow) << 7, Bytes: uint32(s.bytes), Class: s.class, Mark: s.mark,
	}
	slot, direct, ok := l.layout.Slot(key.Addr())
	switch {
	case !ok:
		panic("BUG: packet of a host that is not ours: " + key.Addr().String())
	case !direct:
		slot = l.list(key)
	}
	if outgoing {
		slot++
	}
	op.Line = counters.Line(slot)
	var expired [1]uint8
	if len(l.table.Count([]counters.Op{op}, 0, expired[:0])) > 0 {
		l.table.Touch(op.Line, s.at)
		l.table.Slot(op.Line).Arm(1 << 20)
	}
}

// list returns the slot of a host of a wide network.
func (l *lab) list(key counters.Key) uint32 {
	entry, ok := l.listed[key]
	if !ok {
		entry = uint32(len(l.listed))
		l.listed[key] = entry
	}
	l.table.Name(entry, key)
	return l.layout.DirBase + 2*entry
}

func (l *lab) entry(addr string, outgoing bool) *counters.Entry {
	key := keyOf(addr)
	slot, direct, _ := l.layout.Slot(key.Addr())
	return l.merger.Find(key, slot, direct, outgoing)
}

// add watches a host.
func (l *lab) add(addr string, outgoing bool) *Host {
	return l.watch.Add(l.layout, keyOf(addr), outgoing, 0)
}

// flip merges what was counted up to now.
func (l *lab) flip(now int64) {
	l.merger.Add(l.table, 1)
	l.watch.Flip(l.merger, l.last, now)
	l.table.Start, l.last = now, now
}

// endSecond ends a second that was flipped at its end.
func (l *lab) endSecond() {
	l.watch.Tick()
	l.merger.Reset(l.last)
	l.tick = l.last
}

// second flips and ends the second.
func (l *lab) second(now int64) {
	l.flip(now)
	l.endSecond()
}

// stream counts packets of a host at equal distances, from from to before to.
func (l *lab) stream(addr string, from, to, gap int64, class counters.Class) {
	for at := from; at < to; at += gap {
		l.packet(addr, false, sample{at: at, class: class, bytes: 100})
	}
}
