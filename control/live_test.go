package control

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
	"weir/decode"
	"weir/ring"
	"weir/tools/blast"
)

// pump is a live source: it lends one frame again and again, at so many packets per second.
type pump struct {
	pps       float64
	frame     []byte
	begin     time.Time
	delivered atomic.Uint64
	broken    atomic.Bool
	hang      sync.Mutex // held: Poll does not return
}

func newPump(pps float64, dst string) *pump {
	to := decodeAddr(netip.MustParseAddr(dst))
	b := make([]byte, 90)
	ethernet := blast.Ethernet{Type: blast.TypeIPv4}
	at := blast.EthernetLen
	if to.Hi == 0 {
		at += (&blast.IPv4{TTL: 64, Proto: 17, Src: decodeAddr(netip.MustParseAddr("198.18.0.1")),
			Dst: to}).Put(b[at:])
	} else {
		ethernet.Type = blast.TypeIPv6
		at += (&blast.IPv6{HopLimit: 64, Next: 17,
			Src: decodeAddr(netip.MustParseAddr("2001:db8:ffff::1")), Dst: to}).Put(b[at:])
	}
	ethernet.Put(b)
	(&blast.UDP{SrcPort: 53, DstPort: 4444}).Put(b[at:])
	return &pump{pps: pps, frame: b, begin: time.Now()}
}

func decodeAddr(a netip.Addr) decode.Addr { return decode.Addr(counters.KeyOf(a)) }

func (p *pump) Poll(b *ring.Batch) (int, error) {
	if p.broken.Load() {
		return 0, errors.New("the ring contradicts itself")
	}
	p.hang.Lock()
	p.hang.Unlock() //nolint:staticcheck // waiting is all that is wanted
	now := time.Now()
	due := uint64(p.pps * now.Sub(p.begin).Seconds())
	n := min(due-p.delivered.Load(), ring.BurstSize)
	b.Mem, b.N, b.Now, b.Fill = p.frame, int(n), now.UnixNano(), 0
	for i := range n {
		b.Frames[i] = ring.Frame{
			Time: b.Now, Cap: uint32(len(p.frame)), Wire: uint32(len(p.frame)), Link: 1,
		}
	}
	p.delivered.Add(n)
	if n == 0 {
		time.Sleep(200 * time.Microsecond)
	}
	return int(n), nil
}

func (p *pump) Release(b *ring.Batch) { b.N = 0 }

func (p *pump) Stats() ring.Stats { return ring.Stats{Received: p.delivered.Load()} }

func (p *pump) Close() error { return nil }

// heard are the events of a live engine.
type heard struct {
	mu     sync.Mutex
	events []ban.Event
	delay  time.Duration
	proof  int // samples at the verdict
}

func (h *heard) Event(e *ban.Event, evidence *capture.Evidence) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, *e)
	if e.Kind == ban.Started {
		h.delay = time.Duration(e.Incident.Detected - e.Incident.Begin)
		h.proof = len(evidence.Snapshot().Samples)
	}
}

func (h *heard) count(kind ban.EventKind) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.events {
		if h.events[i].Kind == kind {
			n++
		}
	}
	return n
}

// livePolicy limits incoming packets of hosts in the networks.
func livePolicy(limit uint64, networks ...string) detect.Policy {
	p := detect.Policy{Groups: []detect.Hostgroup{{Name: detect.Global}}}
	l := &p.Groups[0].Thresholds[rate.Incoming]
	l.Set[rate.PPS], l.Value[rate.PPS] = true, limit
	for _, n := range networks {
		p.Networks = append(p.Networks, netip.MustParsePrefix(n))
	}
	return p
}

// startLive runs an engine on pumps. The function that it returns stops it and returns its error.
func startLive(
	t *testing.T, p detect.Policy, events Events, pumps ...*pump,
) (*Live, func() error) {
	t.Helper()
	c := Config{
		Policy: p, Decoder: &decode.Decoder{}, Memory: 64 << 20, Seed: 1,
		Ban: ban.Config{Time: time.Minute, Quiet: time.Second, DryRun: true},
	}
	for _, s := range pumps {
		c.Inputs = append(c.Inputs, Input{Source: s, View: "mirror", Core: -1})
	}
	start := time.Now()
	clock := func() int64 { return start.UnixNano() + int64(time.Since(start)) }
	l, err := NewLive(c, clock, events)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stop := func() error {
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		cancel()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, stop
}

func TestLiveCountsEverything(t *testing.T) {
	pumps := []*pump{newPump(400_000, "10.0.0.1"), newPump(100_000, "10.0.0.2"),
		newPump(3000, "192.0.2.1")}
	l, stop := startLive(t, livePolicy(1e9, "10.0.0.0/24"), &heard{}, pumps...)
	time.Sleep(2300 * time.Millisecond)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var want uint64
	for _, p := range pumps {
		want += p.delivered.Load()
	}
	p := l.Picture()
	if l.Pipeline.Received != want || l.Pipeline.Processed != want || p.Pipeline.Received != want {
		t.Errorf("received %d, processed %d, picture %d; delivered %d", l.Pipeline.Received,
			l.Pipeline.Processed, p.Pipeline.Received, want)
	}
	ours := pumps[0].delivered.Load() + pumps[1].delivered.Load()
	if in, _ := p.Total[rate.Incoming].Total(); in != ours || l.Pipeline.Foreign != want-ours {
		t.Errorf("hosts counted %d, foreign %d; want %d and %d", in, l.Pipeline.Foreign, ours,
			want-ours)
	}
	for i := range p.Workers {
		if got := p.Workers[i].Total.Received; got != pumps[i].delivered.Load() {
			t.Errorf("worker %d: %d, want %d", i, got, pumps[i].delivered.Load())
		}
	}
	if len(p.History) < 2 || p.Time == 0 {
		t.Errorf("history %v", p.History)
	}
}

func TestLiveFindsAnAttack(t *testing.T) {
	events := &heard{}
	_, stop := startLive(t, livePolicy(5000, "10.0.0.0/24", "2001:db8::/48"), events,
		newPump(20_000, "10.0.0.1"), newPump(20_000, "2001:db8::1"), newPump(500, "10.0.0.9"))
	for end := time.Now().Add(5 * time.Second); events.count(ban.Started) < 2; {
		if time.Now().After(end) {
			t.Fatal("not two attacks in 5 s")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	events.mu.Lock()
	defer events.mu.Unlock()
	if events.delay > 2*time.Second || events.proof == 0 {
		t.Errorf("after %v with %d samples", events.delay, events.proof)
	}
}

// Reloads that change networks, groups and limits, one after another while packets come, lose
// nothing: no packet, no count of a host, no incident.
func TestReloadLosesNothing(t *testing.T) {
	events := &heard{}
	pumps := []*pump{newPump(150_000, "10.0.0.1"), newPump(50_000, "2001:db8::1")}
	first := livePolicy(60_000, "10.0.0.0/24", "2001:db8::/48")
	l, stop := startLive(t, first, events, pumps...)
	policies := []detect.Policy{
		livePolicy(60_000, "10.0.0.0/24", "192.0.2.0/24", "2001:db8::/48"),
		livePolicy(70_000, "10.0.0.0/16", "2001:db8::/40"),
		livePolicy(55_000, "10.0.0.0/16", "2001:db8::/40"),
		first,
	}
	reloads := 0
	for begin := time.Now(); time.Since(begin) < 3*time.Second; reloads++ {
		p := policies[reloads%len(policies)]
		err := l.Reload(t.Context(), Change{
			Policy: p, Decoder: &decode.Decoder{}, Evidence: capture.DefaultLimits(),
			Ban: ban.Config{Time: time.Minute, Quiet: time.Second, DryRun: true, Policy: p.Hash()},
		})
		if err != nil {
			t.Fatal(err)
		}
		l.Hosts(l.clock(), func(*Hosts) {})
		time.Sleep(30 * time.Millisecond)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := pumps[0].delivered.Load() + pumps[1].delivered.Load()
	p := l.Picture()
	in, _ := p.Total[rate.Incoming].Total()
	// A worker that answers late has its counts scaled to the time that was asked for.
	if l.Pipeline.Received != want || in > want || in < want-want/20 {
		t.Errorf("%d reloads: received %d, counted for hosts %d; delivered %d", reloads,
			l.Pipeline.Received, in, want)
	}
	if n := events.count(ban.Started); n != 1 || events.count(ban.Ended) != 0 {
		t.Errorf("%d incidents, %d ended; want the one that goes on", n, events.count(ban.Ended))
	}
	if reloads < 4 {
		t.Errorf("only %d reloads", reloads)
	}
}

// A reload that the memory has no room for changes nothing.
func TestReloadFailure(t *testing.T) {
	p := livePolicy(1000, "10.0.0.0/24")
	l, stop := startLive(t, p, &heard{}, newPump(1000, "10.0.0.1"))
	var many []string
	for i := range 250 {
		many = append(many, netip.AddrFrom4([4]byte{byte(i + 1)}).String()+"/8")
	}
	tooMany := livePolicy(1000, many...)
	l.config.Memory = 1 << 20
	err := l.Reload(t.Context(), Change{Policy: tooMany, Decoder: &decode.Decoder{}})
	if err == nil {
		t.Error("tables that do not fit were made")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := l.config.Policy.Hash(); got != p.Hash() {
		t.Error("the policy was changed")
	}
}

// A worker that hangs is late, and known to be: the others go on, and what it counts when it is
// back is not lost.
func TestLiveKnowsAStuckWorker(t *testing.T) {
	stuck, other := newPump(1000, "10.0.0.1"), newPump(1000, "10.0.0.2")
	l, stop := startLive(t, livePolicy(1e9, "10.0.0.0/24"), &heard{}, stuck, other)
	time.Sleep(200 * time.Millisecond)
	stuck.hang.Lock()
	time.Sleep(2500 * time.Millisecond)
	p := l.Picture()
	if w := p.Workers; !w[0].Late || w[1].Late || p.Time-w[0].Answered < int64(time.Second) {
		t.Errorf("workers %+v", w)
	}
	if w := p.Workers[1].Second.Received; w < 500 {
		t.Errorf("the other worker counted %d in a second", w)
	}
	stuck.hang.Unlock()
	time.Sleep(1500 * time.Millisecond)
	if l.Picture().Workers[0].Late {
		t.Error("still late")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if want := stuck.delivered.Load() + other.delivered.Load(); l.Pipeline.Received != want {
		t.Errorf("received %d, delivered %d", l.Pipeline.Received, want)
	}
}

func TestLiveEndsWithItsSource(t *testing.T) {
	s := newPump(1000, "10.0.0.1")
	_, stop := startLive(t, livePolicy(1000, "10.0.0.0/24"), &heard{}, s)
	time.Sleep(50 * time.Millisecond)
	s.broken.Store(true)
	time.Sleep(50 * time.Millisecond)
	if err := stop(); err == nil || !strings.Contains(err.Error(), "worker 0: the ring") {
		t.Errorf("ended with %v", err)
	}
}

// The picture of 100 000 hosts has them all; of more, those with most packets.
func TestHostsOfThePicture(t *testing.T) {
	l, stop := startLive(t, livePolicy(1e9, "10.0.0.0/24"), &heard{}, newPump(50_000, "10.0.0.7"))
	key := counters.KeyOf(netip.MustParseAddr("10.0.0.200"))
	if !l.Ask(l.clock(), key) {
		t.Fatal("one address is too many")
	}
	var found bool
	for end := time.Now().Add(4 * time.Second); !found && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		l.Hosts(l.clock(), func(h *Hosts) {
			if len(h.All) == 0 {
				return
			}
			_, asked := h.Asked[key]
			r := h.All[0].Rates(rate.Incoming, h.Window)
			found = asked && h.All[0].Key.Addr().String() == "10.0.0.7" &&
				r.Packets[rate.UDP] > 30_000 && r.Packets[rate.UDP] < 70_000 && r.Flows == 1
		})
	}
	if !found {
		t.Error("no picture of the host")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
