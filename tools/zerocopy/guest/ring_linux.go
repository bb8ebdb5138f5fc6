package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"

	"weir/ring/afxdp"
	"weir/tools/zerocopy"
)

// Frames of a scene.
const (
	many  = 20_000 // more than the rings hold: every frame of the memory is used again
	few   = 2_000
	chunk = 5_000 // sent at a time: a ring that is fuller makes workers leave packets out
)

// scene is one thing that the data plane is seen to survive, or to do.
type scene struct {
	name   string
	card   int
	config afxdp.Config
	count  uint32 // frames, in two halves with between in between
	// between is done to the open interface; nil: nothing.
	between func(*guest, *session) error
}

// ringScenes are those of the data plane alone.
func (g *guest) ringScenes() []scene {
	zero := afxdp.Config{ZeroCopy: afxdp.Required}
	small := afxdp.Config{ZeroCopy: afxdp.Required, Frames: 512}
	all := []scene{
		{name: zerocopy.SceneRing, config: zero, count: many},
		{name: zerocopy.SceneReopened, config: zero, count: few},
		{name: zerocopy.SceneReopened, config: zero, count: few},
		{name: zerocopy.SceneFlapped, config: zero, count: many, between: (*guest).flap},
		{name: zerocopy.SceneUnplugged, config: zero, count: few, between: (*guest).unplug},
		{name: zerocopy.SceneStalled, config: small, count: few * 2, between: (*guest).stall},
		{name: zerocopy.SceneTraffic, config: zero},
		{name: zerocopy.SceneCopy, config: afxdp.Config{ZeroCopy: afxdp.Off}, count: few},
		{name: zerocopy.SceneBack, config: zero, count: few},
	}
	if len(g.cards) > 1 {
		half := zero
		half.Queues = []int{0}
		all = append(all,
			scene{name: zerocopy.SceneQueues, card: 1, config: zero, count: many},
			scene{name: zerocopy.SceneHalf, card: 1, config: half, count: few})
	}
	return all
}

// showRing shows the data plane alone.
func (g *guest) showRing() error {
	scenes := g.ringScenes()
	for i := range scenes {
		sc := &scenes[i]
		sc.config.Interface = g.cards[sc.card].Attrs().Name
		begin := time.Now()
		play := g.play
		if sc.name == zerocopy.SceneTraffic {
			play = g.reopen
		}
		r, err := play(sc)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
		r.Took = time.Since(begin).Seconds()
		if err := g.console.tell(&zerocopy.Message{Kind: zerocopy.Shown, Result: r}); err != nil {
			return err
		}
	}
	return nil
}

// play opens the interface, has frames sent, and returns what became of them.
func (g *guest) play(sc *scene) (r *zerocopy.Result, err error) {
	l := newLedger(sc.card, g.next[sc.card], sc.count)
	s, err := open(sc.config, l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	end := l.first
	for half := range 2 {
		if half == 1 && sc.between != nil {
			if err := sc.between(g, s); err != nil {
				return nil, err
			}
		}
		for stop := l.first + sc.count/2*uint32(half+1); end != stop; {
			if _, end, err = g.send(sc.card, min(chunk, stop-g.next[sc.card])); err != nil {
				return nil, err
			}
			if err := s.settled(uint64(end - l.first)); err != nil {
				return nil, err
			}
		}
	}
	time.Sleep(linger)
	return s.result(sc.name, end)
}

// Bounds of traffic under which a socket is opened and closed.
const (
	enough = 500     // frames that a socket takes before it is closed
	most   = 500_000 // frames that are sent
)

// reopen opens and closes the interface while frames come; one result has it all, with a queue for
// each time.
func (g *guest) reopen(sc *scene) (*zerocopy.Result, error) {
	all := &zerocopy.Result{Scene: sc.name, Dropped: map[string]uint64{}}
	l := newLedger(sc.card, g.next[sc.card], most)
	var closed atomic.Bool
	sent := make(chan error, 1)
	go func() {
		var err error
		for err == nil && !closed.Load() && g.next[sc.card]-l.first < most {
			_, _, err = g.send(sc.card, min(few, most-(g.next[sc.card]-l.first)))
		}
		sent <- err
	}()
	var err error
	for n := 0; n < zerocopy.Reopenings && err == nil; n++ {
		err = l.during(sc, all)
	}
	closed.Store(true)
	if err = errors.Join(err, <-sent); err != nil {
		return nil, err
	}
	all.Sent = uint64(g.next[sc.card] - l.first)
	all.Frames = l.sum(g.next[sc.card])
	return all, nil
}

// during opens the interface until enough frames have come, and adds to all what it has seen.
func (l *ledger) during(sc *scene, all *zerocopy.Result) (err error) {
	s, err := open(sc.config, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := eventually("taken under traffic", func() bool {
		return s.received() >= enough
	}); err != nil {
		return err
	}
	r, err := s.result(sc.name, l.first+most)
	if err != nil {
		return err
	}
	for name, n := range r.Dropped {
		all.Dropped[name] += n
	}
	all.Passed += r.Passed
	all.Queues = append(all.Queues, r.Queues...)
	all.Counted += r.Counted
	all.Shed += r.Shed
	return nil
}

// stallTime is how long workers take nothing: long enough for the ring to be full.
const stallTime = 2 * time.Second

// stall keeps the workers from taking frames for a while, in which the second half comes.
func (*guest) stall(s *session) error {
	s.stalled.Store(true)
	time.AfterFunc(stallTime, func() { s.stalled.Store(false) })
	return nil
}

// flap takes a link down and up, twice, and waits until the session has seen each.
func (g *guest) flap(s *session) error {
	for range 2 {
		for _, step := range flaps() {
			if err := step.set(g.cards[s.ledger.card]); err != nil {
				return err
			}
			if err := s.reaches(step.state); err != nil {
				return err
			}
		}
	}
	return nil
}

// unplug has the cable pulled and plugged in again, and waits until the session has seen each.
func (g *guest) unplug(s *session) error {
	for _, step := range []struct{ kind, state string }{
		{zerocopy.Pull, afxdp.StateLinkDown}, {zerocopy.Plug, afxdp.StateUp},
	} {
		m := &zerocopy.Message{Kind: step.kind, Card: s.ledger.card}
		if _, err := g.console.ask(m); err != nil {
			return err
		}
		if err := s.reaches(step.state); err != nil {
			return err
		}
	}
	return nil
}

// reaches waits for a state of the interface.
func (s *session) reaches(state string) error {
	return eventually(state, func() bool { return s.mirror.Status().State == state })
}

// flapStep is one half of a flap, and the state that shows that it was seen.
type flapStep struct {
	set   func(netlink.Link) error
	state string
}

func flaps() []flapStep {
	return []flapStep{
		{netlink.LinkSetDown, afxdp.StateLinkDown}, {netlink.LinkSetUp, afxdp.StateUp},
	}
}
