package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"

	"weir/ring/afxdp"
	"weir/tools/zerocopy"
)

// Frames of a scene. More than the rings hold, so that every frame of the memory is used again.
const (
	many = 20_000
	few  = 2_000
)

// scene is one thing that the data plane is seen to survive, or to do.
type scene struct {
	name  string
	card  int
	mode  afxdp.ZeroCopy
	count uint32 // frames, in two halves with between in between
	// between is done to the open interface; nil: nothing.
	between func(*guest, *session) error
}

// showRing shows the data plane alone.
func (g *guest) showRing() error {
	scenes := []scene{{name: zerocopy.SceneRing, mode: afxdp.Required, count: many}}
	for range 3 {
		scenes = append(scenes, scene{
			name: zerocopy.SceneReopened, mode: afxdp.Required, count: few,
		})
	}
	scenes = append(scenes,
		scene{
			name: zerocopy.SceneFlapped, mode: afxdp.Required, count: many,
			between: (*guest).flap,
		},
		scene{name: zerocopy.SceneCopy, mode: afxdp.Off, count: few},
		scene{name: zerocopy.SceneBack, mode: afxdp.Required, count: few},
	)
	if len(g.cards) > 1 {
		scenes = append(scenes, scene{
			name: zerocopy.SceneQueues, card: 1, mode: afxdp.Required, count: many,
		})
	}
	for i := range scenes {
		if err := g.play(&scenes[i]); err != nil {
			return fmt.Errorf("%s: %w", scenes[i].name, err)
		}
	}
	return nil
}

// play opens the interface, has frames sent, and tells the host what became of them.
func (g *guest) play(sc *scene) (err error) {
	begin := time.Now()
	l := newLedger(sc.card, g.next[sc.card], sc.count)
	s, err := open(g.cards[sc.card].Attrs().Name, sc.mode, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var end uint32
	for half := range 2 {
		if half == 1 && sc.between != nil {
			if err := sc.between(g, s); err != nil {
				return err
			}
		}
		if _, end, err = g.send(sc.card, sc.count/2); err != nil {
			return err
		}
		if err := s.settled(uint64(end - l.first)); err != nil {
			return err
		}
	}
	r, err := s.result(sc.name, end)
	if err != nil {
		return err
	}
	r.Took = time.Since(begin).Seconds()
	return g.console.tell(&zerocopy.Message{Kind: zerocopy.Shown, Result: r})
}

// flap takes a link down and up, twice, and waits until the session has seen each.
func (g *guest) flap(s *session) error {
	card := g.cards[s.ledger.card]
	for range 2 {
		for _, step := range []struct {
			set   func(netlink.Link) error
			state string
		}{{netlink.LinkSetDown, afxdp.StateLinkDown}, {netlink.LinkSetUp, afxdp.StateUp}} {
			if err := step.set(card); err != nil {
				return err
			}
			if err := eventually(step.state, func() bool {
				return s.mirror.Status().State == step.state
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
