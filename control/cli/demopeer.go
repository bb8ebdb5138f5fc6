package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/control"
	"weir/control/announce"
	"weir/control/ban/journal"
	"weir/control/bgp"
	"weir/control/bgp/bgptest"
	"weir/control/config"
)

// demoPeer is a BGP peer in this process, and all that lies between it and the engine: the way of a
// route as in `weir run`, with the journal in a folder that is gone afterwards.
type demoPeer struct {
	router    *bgptest.Peer
	speaker   *bgp.Supervisor
	journal   *journal.Journal
	announcer *announce.Announcer
	dir       string
	clock     atomic.Int64 // the replay's

	stop    context.CancelFunc
	running sync.WaitGroup
	shown   map[netip.Prefix]bgptest.Route
}

// Autonomous systems of the demo, of those for documentation (RFC 5398).
const (
	demoAS     = 64496
	demoPeerAS = 64511
)

// demoPatience bounds the wait for the session.
const demoPatience = 15 * time.Second

// newDemoPeer starts the peer and waits until its session is up.
func newDemoPeer(ctx context.Context, c *config.Config, log *slog.Logger) (*demoPeer, error) {
	d := &demoPeer{shown: map[netip.Prefix]bgptest.Route{}}
	if err := d.open(c, log); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	err := d.router.Wait(ctx, func([]bgptest.Route) bool { return d.router.Established() })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the demo's BGP session: %w", err), d.Close())
	}
	return d, nil
}

func (d *demoPeer) open(c *config.Config, log *slog.Logger) (err error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	d.router, err = bgptest.New(bgptest.Options{
		AS: demoPeerAS, Listen: netip.AddrPortFrom(loopback, 0), Neighbor: loopback,
	})
	if err != nil {
		return err
	}
	d.speaker, err = bgp.Start(bgp.Config{
		AS: demoAS, RouterID: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Networks: c.Networks,
		Clock: d.clock.Load, Log: log,
		Peers: []bgp.Peer{{
			Address: loopback, Port: d.router.Address().Port(), AS: demoPeerAS,
		}},
	})
	if err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "weir-demo-journal-"); err != nil {
		return err
	}
	d.journal, _, err = journal.Open(d.dir, journal.SystemClock(), journal.Options{})
	if err != nil {
		return err
	}
	d.announcer = announce.New(d.journal, []announce.Speaker{peerSpeaker{d.speaker}}, d.clock.Load,
		log)
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	d.running.Go(func() { d.announcer.Run(ctx) })
	return nil
}

// peerSpeaker is a speaker as the announcer sees it.
type peerSpeaker struct{ *bgp.Supervisor }

// Stands implements announce.Speaker.
func (s peerSpeaker) Stands(p netip.Prefix) bool { return s.State().Standing(p) > 0 }

// Close ends all of it and removes the journal.
func (d *demoPeer) Close() error {
	var errs []error
	if d.stop != nil {
		d.stop()
	}
	d.running.Wait()
	if d.speaker != nil {
		d.speaker.Close(true)
	}
	if d.journal != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		errs = append(errs, d.journal.Close(ctx))
	}
	if d.router != nil {
		d.router.Close()
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

// enforce makes an engine announce to the peer.
func (d *demoPeer) enforce(c *control.Config) {
	c.Ban.DryRun, c.Mitigation.Actor = false, d.announcer
}

// look lets the clock be now, and shows what the peer has learned and lost since the last look.
func (d *demoPeer) look(now int64, out *eventPrinter) {
	d.clock.Store(now)
	has := map[netip.Prefix]bgptest.Route{}
	for _, r := range d.router.Routes() {
		has[r.Prefix] = r
	}
	for _, p := range slices.SortedFunc(maps.Keys(has), netip.Prefix.Compare) {
		if _, known := d.shown[p]; !known {
			out.peerRow(now, "learned", has[p])
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(d.shown), netip.Prefix.Compare) {
		if _, still := has[p]; !still {
			out.peerRow(now, "lost", d.shown[p])
		}
	}
	d.shown = has
}

// peerRoute is a route that came to the demo's BGP peer, or left it.
type peerRoute struct {
	Type        string   `json:"type"`  // "peer_route"
	Event       string   `json:"event"` // learned, lost
	Time        string   `json:"time"`
	Prefix      string   `json:"prefix"`
	NextHop     string   `json:"next_hop"`
	Communities []string `json:"communities"`
}

// peerRow prints what happened at the demo's BGP peer.
func (p *eventPrinter) peerRow(now int64, event string, r bgptest.Route) {
	all := slices.Concat(r.Communities, r.Large)
	if p.json != nil {
		p.encode(peerRoute{"peer_route", event, stamp(now), r.Prefix.String(),
			r.NextHop.String(), all})
		return
	}
	p.line(now, event, r.Prefix.Addr(), fmt.Sprintf("the BGP peer has %s %s via %s, communities %s",
		event, r.Prefix, r.NextHop, strings.Join(all, " ")))
}
