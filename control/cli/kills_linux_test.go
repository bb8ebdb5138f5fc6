package cli

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"weir/tools/lab/router"
)

// TestLabKills kills weir, its speaker and the router at random moments while 1 to 50 bans stand.
// With graceful restart no live route ever leaves the router while weir or its speaker is away, and
// no later than five seconds after the kill, or after the session where there was none, the router
// has exactly what the journal has. A ban that ends meanwhile is gone at its lease's end.
func TestLabKills(t *testing.T) {
	rounds := 15 // of each of the four below: 60
	if testing.Short() {
		rounds = 1
	}
	t.Run("graceful restart", func(t *testing.T) { newKiller(t, 60).play(rounds, true) })
	t.Run("no graceful restart", func(t *testing.T) { newKiller(t, 0).play(rounds, false) })
}

// killer is a rig with a router, and the bans that should stand.
type killer struct {
	*rig
	peer *router.Router
	r    *rand.Rand
	bans map[netip.Prefix]time.Time // until
}

func newKiller(t *testing.T, restart int) *killer {
	t.Helper()
	l := routed(t)
	o, section := peering(false, restart)
	k := &killer{
		peer: router.BIRD(t, l.Gen(), o), r: rand.New(rand.NewPCG(uint64(restart), 3)),
		bans: map[netip.Prefix]time.Time{},
	}
	k.rig = newRig(t, l, captures()["afxdp"], enforcing(time.Minute, section))
	k.established()
	return k
}

// play kills twice as often as rounds says: weir, and by turns its speaker and the router.
func (k *killer) play(rounds int, graceful bool) {
	var took []time.Duration
	for i := range rounds {
		k.ban(1 + k.r.IntN(50))
		took = append(took, k.kill(graceful, k.killWeir))
		if k.ban(k.r.IntN(3)); i%2 == 0 {
			took = append(took, k.kill(graceful, k.killSpeaker))
		} else {
			took = append(took, k.kill(false, k.killRouter))
		}
	}
	slices.Sort(took)
	k.t.Logf("%d kills; router and journal agree after median %v, longest %v", len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}

// ban makes so many bans stand, most for long, some about to end, and waits for none.
func (k *killer) ban(n int) {
	k.t.Helper()
	k.eventually("answers", func() bool {
		s, err := k.client.Status(k.t.Context())
		return err == nil && s.Mitigation.Speaker.Alive
	})
	for range n {
		if k.forget(); len(k.bans) >= 50 {
			return
		}
		a := netip.AddrFrom4([4]byte{10, 0, 6, byte(k.r.IntN(200))})
		p := netip.PrefixFrom(a, 32)
		if k.r.IntN(4) == 0 {
			a = netip.MustParseAddr(fmt.Sprintf("2001:db8:0:6::%d", 1+k.r.IntN(200)))
			p = netip.PrefixFrom(a, 128)
		}
		if _, stands := k.bans[p]; stands {
			continue
		}
		request := minuteBan(a)
		request.TTL = 10 * time.Minute
		if k.r.IntN(5) == 0 {
			request.TTL = time.Duration(2+k.r.IntN(4)) * time.Second
		}
		o, err := k.client.Ban(k.t.Context(), request)
		if err != nil || !o.OK {
			k.t.Fatalf("ban %s: %+v, %v", a, o, err)
		}
		k.bans[p] = time.Now().Add(request.TTL)
	}
}

// slack is how much later than its lease a route may go: the loop looks once a second.
const slack = 1500 * time.Millisecond

// forget drops bans that are over.
func (k *killer) forget() {
	for p, until := range k.bans {
		if time.Now().After(until.Add(slack)) {
			delete(k.bans, p)
		}
	}
}

// kill kills at a random moment after the bans have begun. It returns how long it took from the
// start of the one who was killed until the router had what it should. Meanwhile nothing that
// should stand may leave it, if nothing may.
func (k *killer) kill(held bool, kill func() (started time.Time)) time.Duration {
	k.t.Helper()
	if held {
		k.agree("before the kill") // what has arrived must not leave
		k.settled()
	} else {
		time.Sleep(time.Duration(k.r.IntN(300)) * time.Millisecond)
	}
	stop := func() {}
	if held {
		stop = k.watch()
	}
	begin := kill()
	k.agree("after the kill")
	stop()
	return time.Since(begin)
}

// settled waits until the speaker has told the router everything again: a second failure before
// that makes the router drop what is stale (RFC 4724, section 4.2).
func (k *killer) settled() {
	k.t.Helper()
	k.eventually("settled", func() bool {
		s, err := k.client.Status(k.t.Context())
		m := &s.Mitigation
		return err == nil && m.Routes > 0 && m.Standing == m.Routes && len(m.Peers) == 1 &&
			m.Peers[0].Routes == m.Routes
	})
	time.Sleep(50 * time.Millisecond) // for the router to take in the end of it
}

// agree waits until the router has what should stand and nothing else, for five seconds at most.
func (k *killer) agree(when string) {
	k.t.Helper()
	var missing, extra []netip.Prefix
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if missing, extra = k.differences(); len(missing)+len(extra) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	k.t.Fatalf("%s, after 5 s: the router lacks %v and has %v besides\n%s", when, missing, extra,
		k.log)
}

// differences compares the router with the bans. One that is about to end, or has just, may be
// there or not.
func (k *killer) differences() (missing, extra []netip.Prefix) {
	now := time.Now()
	routes, err := k.peer.Routes()
	if err != nil {
		return nil, []netip.Prefix{{}}
	}
	has := map[netip.Prefix]bool{}
	for _, r := range routes {
		has[r.Prefix] = true
		if until, ok := k.bans[r.Prefix]; !ok || time.Now().After(until.Add(slack)) {
			extra = append(extra, r.Prefix)
		}
	}
	for p, until := range k.bans {
		if !has[p] && now.Before(until.Add(-100*time.Millisecond)) {
			missing = append(missing, p)
		}
	}
	return missing, extra
}

// watch looks until it is stopped whether what should stand does.
func (k *killer) watch() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if missing, _ := k.differences(); len(missing) > 0 {
				k.t.Errorf("%v left the router while they should stand", missing)
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// killWeir kills weir and starts it again; the speaker goes with it.
func (k *killer) killWeir() time.Time {
	_ = k.stop(syscall.SIGKILL)
	time.Sleep(time.Duration(k.r.IntN(1000)) * time.Millisecond)
	begin := time.Now()
	k.launch()
	return begin
}

// killSpeaker kills the speaker, which weir starts again by itself.
func (k *killer) killSpeaker() time.Time {
	pid := k.status().Mitigation.Speaker.PID
	begin := time.Now()
	if pid == 0 || syscall.Kill(pid, syscall.SIGKILL) != nil {
		k.t.Fatalf("no speaker to kill: %d", pid)
	}
	return begin
}

// killRouter kills the router, which has lost everything when it comes back.
func (k *killer) killRouter() time.Time {
	k.peer.Kill()
	time.Sleep(time.Duration(k.r.IntN(1000)) * time.Millisecond)
	begin := time.Now()
	k.peer.Start()
	return begin
}
