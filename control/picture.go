package control

import (
	"sync"
	"sync/atomic"

	"weir/control/ban"
	"weir/control/governor"
	"weir/control/rate"
	"weir/counters"
	"weir/fastpath/filter"
)

// Bounds of what a picture holds.
const (
	maxHosts    = 1 << 17 // hosts; of more, those with most packets
	maxAsked    = 64      // addresses asked for by name
	HistorySize = 60      // seconds
)

// wantedFor is how long hosts are kept for those who have looked at them, nanoseconds.
const wantedFor = 5 * rate.Second

// HostSecond is one host's last second, by rate.Direction.
type HostSecond struct {
	Key     counters.Key
	Counts  [2]rate.Counts
	Flows   [2]uint64
	AtLeast [2]bool // Flows is a lower bound
}

// Rates returns the host's rates in direction d over a window of ns nanoseconds.
func (h *HostSecond) Rates(d rate.Direction, ns int64) rate.Rates {
	r := h.Counts[d].Over(ns)
	r.Flows, r.FlowsAtMin = h.Flows[d], h.AtLeast[d]
	return r
}

// NetworkSecond is one home network's last second, by rate.Direction.
type NetworkSecond struct {
	counters.Network
	Active int // hosts and aggregates with a packet
	Counts [2]rate.Counts
}

// WorkerSecond is one worker's last second.
type WorkerSecond struct {
	Number   int
	Second   counters.Stats // Received, Bytes, Shed, Busy, Gap and Fill alone
	Total    rate.Pipeline  // since the start
	Late     bool           // has not answered the last flip
	Answered int64          // when it last did, nanoseconds since 1970 UTC
}

// Moment is one second of the history: packets and bytes (IP length) by rate.Direction.
type Moment struct{ Packets, Bytes [2]uint64 }

// Picture is the last whole second of everything but single hosts.
type Picture struct {
	Time        int64 // its end, nanoseconds since 1970 UTC; 0 before the first
	Window      int64 // its length, nanoseconds
	Pipeline    rate.Pipeline
	Last        rate.Pipeline       // of the second alone
	Exports     rate.Exports        // of flow exports, which are not in Pipeline
	LastExports rate.Exports        // of the second alone
	Script      *filter.ScriptStats // of the filter; nil: there is none. Nobody changes it
	Counts      [2]rate.Counts      // of each direction the view with most packets
	Total       [2]rate.Counts      // since the start
	Flows       [2]uint64           // of all hosts; known only while hosts are kept
	Active      int                 // hosts with a packet
	History     []Moment            // the oldest first
	Networks    []NetworkSecond
	Workers     []WorkerSecond
	Open        []ban.Incident // without their timelines
	Routes      int            // mitigations in force, dry runs included
	Attacks     uint64
	Late        uint64
	Refused     [3]uint64                 // as Engine.Refused
	Memory      uint64                    // bytes of tables
	Budget      uint64                    // that they may take
	Frozen      bool                      // announcing is
	Denied      [governor.Refusals]uint64 // asks, by the rule that refused
}

// Hosts are the hosts of the last second: of each direction the view with most packets. They are in
// order of address, where there is one view twice over: those with a counter of their own first.
type Hosts struct {
	Time   int64
	Window int64
	Floor  uint64 // hosts with fewer packets are left out
	All    []HostSecond
	Asked  map[counters.Key]HostSecond // those of Board.Ask, seen or not
}

// board is where the loop leaves pictures for others to look at. Looking at one never makes the
// loop wait: it shows its own by copying it to one of two pages, that which is not the latest and
// so has no readers; and while somebody reads the hosts, those of the next second are not kept.
type board struct {
	wanted  atomic.Int64 // until when hosts are kept
	picture Picture      // the loop's
	pages   [2]page
	latest  atomic.Uint32 // of pages

	asking sync.Mutex // of those who replace asked
	asked  atomic.Pointer[map[counters.Key]int64]

	big   sync.RWMutex
	hosts Hosts
	floor uint64 // for the next second
	walk  survey // the loop's, reused
}

type page struct {
	mu sync.RWMutex
	Picture
}

// Picture returns the last second. Its slices are the caller's.
func (e *Engine) Picture() (p Picture) {
	g := &e.board.pages[e.board.latest.Load()]
	g.mu.RLock()
	defer g.mu.RUnlock()
	p.copy(&g.Picture)
	return p
}

// copy makes p another q, in slices of its own.
func (p *Picture) copy(q *Picture) {
	history, networks, workers, open := p.History[:0], p.Networks[:0], p.Workers[:0], p.Open[:0]
	*p = *q
	p.History = append(history, q.History...)
	p.Networks = append(networks, q.Networks...)
	p.Workers = append(workers, q.Workers...)
	p.Open = append(open, q.Open...)
}

// show shows the loop's picture, unless somebody has looked at the page for a second by now.
func (b *board) show() {
	next := 1 - b.latest.Load()
	g := &b.pages[next]
	if !g.mu.TryLock() {
		return
	}
	g.copy(&b.picture)
	g.mu.Unlock()
	b.latest.Store(next)
}

// Hosts calls look with the hosts of the last second, which are valid until it returns. Hosts are
// only kept while somebody looks: the first time there are none. now is the engine's clock.
func (e *Engine) Hosts(now int64, look func(*Hosts)) {
	b := &e.board
	b.wanted.Store(now + wantedFor)
	b.makeRoom()
	b.big.RLock()
	defer b.big.RUnlock()
	look(&b.hosts)
}

// makeRoom takes the memory for hosts, before the loop is the first to need it.
func (b *board) makeRoom() {
	b.big.RLock()
	there := cap(b.hosts.All) > 0
	b.big.RUnlock()
	if there {
		return
	}
	room := make([]HostSecond, 0, maxHosts)
	b.big.Lock()
	defer b.big.Unlock()
	if cap(b.hosts.All) == 0 {
		b.hosts.All = room
	}
}

// Ask has the next seconds' Hosts keep a host, however few packets it has; false when too many
// others are asked for.
func (e *Engine) Ask(now int64, key counters.Key) bool {
	b := &e.board
	b.wanted.Store(now + wantedFor)
	b.asking.Lock()
	defer b.asking.Unlock()
	asked := map[counters.Key]int64{}
	for k, until := range b.askedNow() {
		if until >= now {
			asked[k] = until
		}
	}
	if _, known := asked[key]; !known && len(asked) >= maxAsked {
		return false
	}
	asked[key] = now + wantedFor
	b.asked.Store(&asked)
	return true
}

// askedNow returns the addresses asked for by name, with until when. Nobody changes it any more.
func (b *board) askedNow() map[counters.Key]int64 {
	if asked := b.asked.Load(); asked != nil {
		return *asked
	}
	return nil
}

// end leaves the picture of the second.
func (b *board) end(e *Engine, s *survey) {
	s.flush()
	if s.keep {
		b.keepAsked(e)
		b.big.Unlock()
	}
	b.floor = floorOf(&s.spread)
	p := &b.picture
	p.Last = e.Pipeline.Since(&p.Pipeline)
	p.LastExports = e.Exports.Since(&p.Exports)
	p.Script = e.scripts()
	p.Time, p.Window, p.Pipeline, p.Exports = s.now, s.window, e.Pipeline, e.Exports
	p.Counts, p.Flows, p.Active = s.counts, s.flows, s.active
	for d := range p.Total {
		p.Total[d].Add(&s.counts[d])
	}
	p.Networks = append(p.Networks[:0], s.networks...)
	p.Attacks, p.Late = e.Attacks, e.Late
	p.Memory, p.Budget = e.Memory(), e.config.Memory
	p.Refused[0], p.Refused[1], p.Refused[2] = e.Refused()
	p.Routes, p.Frozen, p.Denied = e.Governed()
	p.remember(s)
	p.workers(e, s.now)
	p.Open = p.Open[:0]
	e.book.Each(func(in *ban.Incident) {
		p.Open = append(p.Open, *in)
		p.Open[len(p.Open)-1].Timeline = nil
	})
	b.show()
}

// remember appends the second to the history.
func (p *Picture) remember(s *survey) {
	if len(p.History) == HistorySize {
		p.History = append(p.History[:0], p.History[1:]...)
	}
	var m Moment
	for d := range m.Packets {
		r := s.counts[d].Over(s.window)
		m.Packets[d], m.Bytes[d] = r.Packets[rate.Total], r.Bits[rate.Total]/8
	}
	p.History = append(p.History, m)
}

// workers notes how the workers fared.
func (p *Picture) workers(e *Engine, now int64) {
	p.Workers = p.Workers[:0]
	for _, v := range e.views {
		for _, w := range v.workers {
			p.Workers = append(p.Workers, WorkerSecond{
				Number: w.Number(), Second: w.second, Total: w.total,
				Late: w.answered < now, Answered: w.answered,
			})
			w.second = counters.Stats{}
		}
	}
}
