package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/control/api"
	"weir/tools/lab"
)

// account is where the frames of a run went, by weir's own word and the veth's.
type account struct {
	sent      uint64 // by the generator's count
	before    uint64 // lost before weir: by the veth
	received  uint64 // by weir's sources
	dropped   uint64 // by name, before a worker had them
	passed    uint64
	worked    uint64 // received by workers
	processed uint64
	unread    uint64 // by name: left out under overload, or without addresses
}

// settle waits until weir's counts stand still, and returns the account.
func (r *rig) settle(sent uint64) (a account) {
	r.t.Helper()
	for same := 0; same < 3; {
		before := a
		a = r.account(sent)
		if same++; a != before {
			same = 0
		}
		time.Sleep(1100 * time.Millisecond)
	}
	return a
}

func (r *rig) account(sent uint64) (a account) {
	r.t.Helper()
	a.sent = sent
	s := r.status()
	for i := range s.Sources {
		a.received += s.Sources[i].Received
		a.passed += s.Sources[i].Passed
		for _, n := range s.Sources[i].Dropped {
			a.dropped += n
		}
	}
	p, err := r.client.Pipeline(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range p.Stages {
		if st := &p.Stages[i]; st.Name == "decode" {
			a.worked, a.processed = st.In, st.Out
			a.unread = lossOf(st)
		}
	}
	gen, err := r.lab.Counters(lab.Gen, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, n := range gen {
		var queue int
		if _, err := fmt.Sscanf(name, "tx_queue_%d_xdp_xmit_errors", &queue); err == nil {
			a.before += n
		}
	}
	return a
}

func lossOf(st *api.Stage) (n uint64) {
	for _, l := range st.Lost {
		n += l.N
	}
	return n
}

// holds fails the test unless every frame is somewhere, once.
func (a account) holds(t *testing.T) {
	t.Helper()
	t.Logf("%+v", a)
	if a.sent != a.before+a.received+a.dropped+a.passed {
		t.Errorf("sent %d: before weir %d, received %d, dropped %d, passed %d: %d missing", a.sent,
			a.before, a.received, a.dropped, a.passed,
			int64(a.sent)-int64(a.before+a.received+a.dropped+a.passed))
	}
	if a.received != a.worked || a.worked != a.processed+a.unread {
		t.Errorf("received %d, taken by workers %d, processed %d, without addresses %d", a.received,
			a.worked, a.processed, a.unread)
	}
}

// TestLabAccounting sends a million frames flat out from both CPUs, and knows where each is.
func TestLabAccounting(t *testing.T) {
	frames := 500_000 // from each CPU
	if testing.Short() {
		frames = 50_000
	}
	for engine, capture := range captures() {
		for _, queues := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d queues", engine, queues), func(t *testing.T) {
				r := newRig(t, lab.New(t, lab.Options{Queues: queues}), capture)
				sent := r.blast(frames, queues)
				r.settle(sent).holds(t)
			})
		}
	}
}

// blast sends n frames from each CPU, IPv4 from one and IPv6 from the other, as fast as it goes;
// to one queue one after the other, as veth's own counters are not for two CPUs at a time.
func (r *rig) blast(n, queues int) (sent uint64) {
	r.t.Helper()
	targets := []string{"10.0.1.1", "2001:db8::77"}
	var turn sync.Mutex
	done := make(chan error, len(targets))
	var generators []*lab.Generator
	for cpu, target := range targets {
		g := r.flood(target, cpu)
		generators = append(generators, g)
		go func() {
			if queues == 1 {
				turn.Lock()
				defer turn.Unlock()
			}
			_, err := g.Send(n)
			done <- err
		}()
	}
	for range targets {
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
	}
	for _, g := range generators {
		sent += g.Sent()
	}
	return sent
}

// TestLabReloadCounts changes networks and limits again and again while frames come: none is lost
// or counted twice.
func TestLabReloadCounts(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"])
	base := labConfig(r.dir, captures()["afxdp"])
	g := r.flood("10.0.1.1", 0)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, 50_000, nil) }()
	networks := []string{"10.0.0.0/16", "10.0.0.0/15", "10.0.0.0/24, 10.0.1.0/24"}
	reloads := 0
	for ; ctx.Err() == nil; reloads++ {
		r.configure(strings.Replace(base, networks[0], networks[reloads%len(networks)], 1))
		r.weir("reload")
		time.Sleep(100 * time.Millisecond)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.settle(g.Sent()).holds(t)
	l, err := r.client.Attacks(t.Context(), "all")
	if err != nil || len(l.Attacks) != 1 || reloads < 3 {
		t.Errorf("%d reloads, attacks %+v, %v: want the one that went on", reloads, l.Attacks, err)
	}
}

// TestLabTwoInterfaces captures from two interfaces at once: what they see adds up.
func TestLabTwoInterfaces(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Links: 2}),
		"afxdp: [{interface: mirror0}, {interface: mirror1}]")
	for link := range 2 {
		stop := r.sends(link, "198.18.0.1", "10.0.0.9", 4000) // each below the limit
		defer stop()
	}
	r.eventually("finds the attack on both", func() bool {
		_, ok := r.attack("10.0.0.9", "active")
		return ok
	})
	if s := r.status(); s.Sources[0].Received == 0 || s.Sources[1].Received == 0 {
		t.Errorf("sources %+v", s.Sources)
	}
}

// TestLabOverflow stops weir while frames come, so that its rings overflow: what is lost has its
// name and number. When it goes on, the backlog is no attack of one second.
func TestLabOverflow(t *testing.T) {
	for engine, capture := range captures() {
		t.Run(engine, func(t *testing.T) {
			r := newRig(t, lab.New(t, lab.Options{Queues: 2}), capture)
			if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			sent := r.blast(100_000, 2)
			if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			a := r.settle(sent)
			a.holds(t)
			if a.dropped == 0 {
				t.Error("nothing overflowed")
			}
		})
	}
}
