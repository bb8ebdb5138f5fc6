package fastpath

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"weir/decode"
	"weir/decode/sflow"
)

// Interface is one interface of an exporter as its counter samples tell of it, with rates between
// the last two of them.
type Interface struct {
	Index   uint32
	Speed   uint64 // bits per second; 0: not told
	Up      bool
	Time    int64 // of the last sample, nanoseconds since 1970 UTC
	In, Out InterfaceRate
}

// InterfaceRate is one direction of an Interface, per second, as seen from the exporter.
type InterfaceRate struct{ Bits, Packets, Errors, Discards float64 }

// Interfaces keeps a bounded number of interfaces. A worker that finds it in use leaves its samples
// out: there are more in half a minute.
type Interfaces struct {
	Missed atomic.Uint64 // samples that were left out, or found no place

	mu    sync.Mutex
	most  int
	links map[linkKey]*link
}

type linkKey struct {
	exporter decode.Addr
	index    uint32
}

// link is an interface, and the counters of its last sample.
type link struct {
	Interface
	last sflow.Interface
}

// NewInterfaces returns room for so many interfaces.
func NewInterfaces(most int) *Interfaces {
	return &Interfaces{most: most, links: make(map[linkKey]*link)}
}

// note takes the counter samples of one datagram.
func (s *Interfaces) note(exporter decode.Addr, samples []sflow.Interface, now int64) {
	if !s.mu.TryLock() {
		s.Missed.Add(uint64(len(samples)))
		return
	}
	defer s.mu.Unlock()
	for i := range samples {
		c := &samples[i]
		k := linkKey{exporter, c.Index}
		l := s.links[k]
		if l == nil {
			if len(s.links) == s.most {
				s.Missed.Add(1)
				continue
			}
			l = &link{}
			s.links[k] = l
		}
		l.note(c, now)
	}
}

// Status bits of a counter sample: up by configuration, and in fact.
const statusUp = 3

// leastGap is the least time between two samples that rates are taken of, ns.
const leastGap = int64(1e9)

func (l *link) note(c *sflow.Interface, now int64) {
	if gap := now - l.Time; l.Time != 0 && gap < leastGap {
		return
	} else if l.Time != 0 {
		l.In = rateOf(&l.last.In, &c.In, c.Speed, gap)
		l.Out = rateOf(&l.last.Out, &c.Out, c.Speed, gap)
	}
	l.Index, l.Speed, l.Up, l.Time = c.Index, c.Speed, c.Status&statusUp == statusUp, now
	l.last = *c
}

// rateOf returns the rates between two samples; zero where the device began anew or counts what
// the interface cannot carry.
func rateOf(before, after *sflow.Counters, speed uint64, gap int64) (r InterfaceRate) {
	seconds := float64(gap) / 1e9
	octets := after.Octets - before.Octets
	bits := float64(octets) * 8 / seconds
	if after.Octets < before.Octets || after.Octets == math.MaxUint64 ||
		speed > 0 && bits > 2*float64(speed) {
		return r
	}
	since := func(a, b uint32) float64 {
		if b == math.MaxUint32 { // the device does not have this counter
			return 0
		}
		return float64(b-a) / seconds
	}
	return InterfaceRate{
		Bits: bits,
		Packets: since(before.Unicast, after.Unicast) + since(before.Multicast, after.Multicast) +
			since(before.Broadcast, after.Broadcast),
		Errors:   since(before.Errors, after.Errors),
		Discards: since(before.Discards, after.Discards),
	}
}

// Of returns the interfaces of an exporter, in order of index.
func (s *Interfaces) Of(exporter decode.Addr) (all []Interface) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.links {
		if k.exporter == exporter {
			all = append(all, l.Interface)
		}
	}
	slices.SortFunc(all, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	return all
}

// interfaceIdle is how long an interface is kept that nothing is heard of, ns.
const interfaceIdle = int64(600e9)

// Forget drops the interfaces that nothing was heard of for ten minutes.
func (s *Interfaces) Forget(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, l := range s.links {
		if now-l.Time > interfaceIdle {
			delete(s.links, k)
		}
	}
}
