package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/counters"
	"weir/decode"
	"weir/fastpath"
	"weir/ring/afxdp"
	"weir/tools/zerocopy"
)

// Bounds of waits. Emulation is slow, and the host may be busy.
const (
	patience = 60 * time.Second
	linger   = 200 * time.Millisecond // for frames that should not come
	pause    = 5 * time.Millisecond
)

// eventually waits until is holds.
func eventually(what string, is func() bool) error {
	for end := time.Now().Add(patience); !is(); time.Sleep(pause) {
		if time.Now().After(end) {
			return fmt.Errorf("never %s", what)
		}
	}
	return nil
}

// session is an interface that is open, with a worker and a table for each of its queues.
type session struct {
	mirror *afxdp.Mirror
	ledger *ledger
	memory counters.Memory
	layout *counters.Layout
	tables []*counters.Table

	cancel  context.CancelFunc
	stalled atomic.Bool // workers take nothing
	ended   atomic.Bool
	wait    sync.WaitGroup
	failed  atomic.Pointer[error] // of a worker
}

// open opens an interface, whose frames l expects.
func open(c afxdp.Config, l *ledger) (s *session, err error) {
	s = &session{ledger: l}
	begin := time.Now()
	c.Promiscuous = true
	c.Clock = func() int64 { return begin.UnixNano() + int64(time.Since(begin)) }
	if s.mirror, err = afxdp.Open(c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.wait.Go(func() { s.mirror.Run(ctx, nil) })
	return s, nil
}

// start makes the tables and starts the workers.
func (s *session) start() (err error) {
	sources := s.mirror.Sources()
	fastpath.Room(len(sources))
	s.layout, err = counters.NewLayout([]netip.Prefix{netip.MustParsePrefix(zerocopy.Home)},
		len(sources), 128<<20)
	if err != nil {
		return err
	}
	policy, err := fastpath.NewPolicy(s.layout, []fastpath.Group{{}}, &decode.Decoder{}, 1)
	if err != nil {
		return err
	}
	for n, source := range sources {
		t, err := counters.NewTable(&s.memory, s.layout)
		if err != nil {
			return err
		}
		s.tables = append(s.tables, t)
		w := fastpath.NewWorker(fastpath.Config{
			Number: n, Seed: 7,
			Source: &looker{Source: source, ledger: s.ledger, stalled: &s.stalled},
			First:  fastpath.Epoch{Seq: 1, Policy: policy, Table: t},
		})
		s.wait.Go(func() {
			if err := w.Run(&s.ended); err != nil {
				s.failed.Store(&err)
			}
		})
	}
	return nil
}

// received returns how many frames the workers have had.
func (s *session) received() (n uint64) {
	st := s.mirror.Status()
	for i := range st.Queues {
		n += st.Queues[i].Received
	}
	return n
}

// known returns how many frames the mirror knows of.
func (s *session) known() uint64 {
	st := s.mirror.Status()
	n := st.Passed
	for i := range st.Queues {
		n += st.Queues[i].Received
		for _, lost := range st.Queues[i].Dropped {
			n += lost
		}
	}
	return n
}

// settled waits until sent frames are accounted for.
func (s *session) settled(sent uint64) error {
	err := eventually("all frames accounted for", func() bool { return s.known() >= sent })
	if err != nil {
		return fmt.Errorf("%w: %d sent, %+v", err, sent, s.mirror.Status())
	}
	return nil
}

// stop ends the workers: the tables may be read then.
func (s *session) stop() {
	s.ended.Store(true)
	s.cancel()
	s.wait.Wait()
}

// close stops the workers and gives everything back.
func (s *session) close() error {
	s.stop()
	errs := []error{s.mirror.Close(), s.memory.Close()}
	if err := s.failed.Load(); err != nil {
		errs = append(errs, *err)
	}
	return errors.Join(errs...)
}

// result stops the session and returns what it has seen of the frames up to end.
func (s *session) result(scene string, end uint32) (*zerocopy.Result, error) {
	s.stop()
	st := s.mirror.Status()
	r := &zerocopy.Result{
		Scene: scene, Sent: uint64(end - s.ledger.first), Passed: st.Passed,
		Dropped: map[string]uint64{}, Frames: s.ledger.sum(end),
	}
	for i := range st.Queues {
		q := &st.Queues[i]
		r.Queues = append(r.Queues, zerocopy.Queue{
			Mode: q.Mode, Reason: q.Reason, Received: q.Received,
		})
		for name, n := range q.Dropped {
			r.Dropped[name] += n
		}
	}
	return r, s.hosts(r)
}

// hosts merges the tables and holds every host's count against what arrived for it.
func (s *session) hosts(r *zerocopy.Result) error {
	m, err := counters.NewMerger(&s.memory, s.layout)
	if err != nil {
		return err
	}
	for _, t := range s.tables {
		r.Shed += t.Stats.Shed // Add clears it
		m.Add(t, 1)
	}
	m.Sort()
	home := netip.MustParsePrefix(zerocopy.Home).Addr().As4()
	for i, want := range s.ledger.perHost() {
		home[2], home[3] = byte(i>>8), byte(i)
		ip := netip.AddrFrom4(home)
		slot, direct, _ := s.layout.Slot(ip)
		var got uint64
		if e := m.Find(counters.KeyOf(ip), slot, direct, false); e != nil {
			got, _ = e.Total()
			r.Frames.Hosts++
		}
		if r.Counted += got; got != want {
			r.Frames.HostsWrong++
		}
	}
	return nil
}
