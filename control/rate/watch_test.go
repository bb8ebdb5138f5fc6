package rate

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"weir/counters"
)

const (
	ms   = int64(1e6)
	host = "10.0.0.7"
)

func TestLastSecond(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	f := func(pps uint64, flows uint64) {
		t.Helper()
		r := h.LastSecond(l.last)
		if r.Packets[UDP] != pps || r.Packets[Total] != pps || r.Bits[UDP] != pps*800 {
			t.Errorf("after %d ms: %d pps, %d bps; want %d pps of 100 bytes",
				(l.last-epoch)/ms, r.Packets[UDP], r.Bits[UDP], pps)
		}
		if r.Flows != flows || r.FlowsAtMin {
			t.Errorf("after %d ms: %d flows, at least %v; want %d", (l.last-epoch)/ms, r.Flows,
				r.FlowsAtMin, flows)
		}
	}
	flip := func(after int64, gap int64) {
		l.stream(host, l.last, l.last+after, gap, counters.UDP)
		l.flip(l.last + after)
	}
	// 1000 pps, in sub-epochs: less than a second is divided by a whole one.
	flip(100*ms, ms)
	f(100, 1)
	flip(300*ms, ms)
	f(400, 1)
	flip(600*ms, ms)
	f(1000, 1)
	l.endSecond()
	f(1000, 0) // flows are those since the tick
	// The oldest sub-epoch sticks out of the second by half, then by all.
	flip(50*ms, ms)
	f(1000, 1)
	flip(50*ms, ms)
	f(1000, 1)
	// Silence: the second empties at the same pace, the sub-epoch of 300 ms by its part.
	flip(100*ms, Second)
	f(200+600+100+1, 1)
	flip(50*ms, Second)
	f(150+600+100+2, 1)
	flip(750*ms, Second)
	f(100+3, 1)
	l.endSecond()
	flip(1000*ms, Second)
	f(1, 1)
	l.endSecond()
	flip(2000*ms, Second/10) // a late tick of 10 pps: its part inside the second
	f(10, 1)
}

// The most flips that a second can have, 50 ms apart with a tick in between, all find a place.
func TestLastSecondOfManySpans(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	for n := range int64(4) {
		for now := l.tick + 30*ms; now < epoch+(n+1)*Second; now += 50 * ms {
			l.stream(host, l.last, now, ms, counters.UDP)
			l.flip(now)
			if r := h.LastSecond(now); n > 0 && r.Packets[UDP] != 1000 {
				t.Fatalf("after %d ms: %d pps, want 1000", (now-epoch)/ms, r.Packets[UDP])
			}
		}
		l.stream(host, l.last, epoch+(n+1)*Second, ms, counters.UDP)
		l.second(epoch + (n+1)*Second)
	}
}

// The flows of a second are a lower bound when packets were left out, until the next second.
func TestFlowsAtLeast(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	l.packet(host, false, sample{at: epoch, bytes: 100})
	l.merger.Add(l.table, 8)
	l.watch.Flip(l.merger, l.last, epoch+100*ms)
	if r := h.LastSecond(epoch + 100*ms); r.Packets[TCP] != 8 || r.Flows != 1 || !r.FlowsAtMin {
		t.Errorf("one packet of eight gives %+v", r)
	}
	l.last = epoch + Second
	l.endSecond()
	if r := h.LastSecond(l.last); r.Packets[TCP] != 8 || r.Flows != 0 || r.FlowsAtMin {
		t.Errorf("after the tick: %+v", r)
	}
}

// A host that is watched for the first time at a flip has the tick so far in its first span, and
// one that is watched at a tick the whole second.
func TestFirstSpan(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	l.stream(host, epoch+200*ms, epoch+300*ms, ms, counters.TCP)
	l.flip(epoch + 300*ms)
	l.stream(host, epoch+300*ms, epoch+500*ms, ms, counters.TCP)
	h := l.add(host, false) // a hint
	l.flip(epoch + 500*ms)
	if r := h.LastSecond(l.last); r.Packets[TCP] != 300 {
		t.Errorf("watched from the flip at 500 ms: %d packets, want all 300", r.Packets[TCP])
	}
	// 300 packets in the 300 ms since the first of them.
	if r := h.Latest(); r.Packets[TCP] != 1000 || r.Bits[TCP] != 800_000 {
		t.Errorf("latest is %d pps, %d bps; want 1000 pps from the first packet on",
			r.Packets[TCP], r.Bits[TCP])
	}
	if h.Steady() {
		t.Error("a host of this second is steady")
	}
	l.second(epoch + Second)
	if !h.Steady() {
		t.Error("a host of the second before is not steady")
	}
	l.stream("10.0.0.8", l.last+400*ms, l.last+Second, ms, counters.TCP)
	l.flip(epoch + 2*Second)
	h = l.add("10.0.0.8", false)
	h.Flip(l.merger, l.tick, l.last)
	if r := h.LastSecond(l.last); r.Packets[TCP] != 600 {
		t.Errorf("watched at the tick: %d packets, want all 600", r.Packets[TCP])
	}
	if got, want := h.Over(PPS, 1), epoch+Second+400*ms; got != want {
		t.Errorf("watched at the tick: over since %d ms, want %d", (got-epoch)/ms, (want-epoch)/ms)
	}
}

// Latest has no minimal length but a millisecond, and forgets what came before.
func TestLatest(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	l.stream(host, epoch, epoch+500*ms, ms, counters.UDP)
	l.flip(epoch + 500*ms)
	l.stream(host, l.last, l.last+50*ms, ms/10, counters.UDP)
	l.flip(epoch + 550*ms)
	if r := h.Latest(); r.Packets[UDP] != 10_000 || r.Packets[Total] != 10_000 {
		t.Errorf("latest is %d pps, want 10000", r.Packets[UDP])
	}
	l.flip(epoch + 600*ms)
	if r := h.Latest(); r != (Rates{}) {
		t.Errorf("latest of silence is %+v", r)
	}
	l.second(epoch + Second)
	// One packet 10 µs before the flip is a thousand a second at most.
	l.packet(host, false, sample{at: l.last + 40*ms - 10_000, bytes: 100})
	l.flip(l.last + 40*ms)
	if r := h.Latest(); r.Packets[TCP] != 1000 {
		t.Errorf("one packet just before the flip is %d pps, want 1000", r.Packets[TCP])
	}
}

func TestOver(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	f := func(m Metric, limit uint64, want int64) {
		t.Helper()
		if got := h.Over(m, limit); got != epoch+want*ms {
			t.Errorf("at %d ms, %v over %d since %d ms, want %d", (l.last-epoch)/ms, m, limit,
				(got-epoch)/ms, want)
		}
	}
	// 1000 pps from 320 ms, 2000 from 700 ms, on to the next second.
	for at := int64(50); at <= 1200; at += 50 {
		now := epoch + at*ms
		switch {
		case at == 350:
			l.stream(host, now-30*ms, now, ms, counters.UDP)
		case at > 700:
			l.stream(host, now-50*ms, now, ms/2, counters.UDP)
		case at > 350:
			l.stream(host, now-50*ms, now, ms, counters.UDP)
		}
		l.flip(now)
		if at == 1000 {
			l.endSecond()
		}
	}
	f(PPS, 999, 320)
	f(PPS, 1000, 700) // over is more than the limit
	f(UDPPPS, 999, 320)
	f(BPS, 799_999, 320)
	f(UDPBPS, 800_000, 700)
	f(FPS, 1500, 700) // by its packets
	// Not exceeded in the newest span either: that one counts all the same.
	f(PPS, 2000, 1150)
	f(TCPPPS, 1, 1150)

	// A second's pause breaks the run.
	l.flip(epoch + 1250*ms)
	l.stream(host, epoch+1250*ms, epoch+1300*ms, ms/2, counters.UDP)
	l.flip(epoch + 1300*ms)
	f(PPS, 999, 1250)
}

// A run is never longer than the spans that are kept, and ends where they have a gap.
func TestOverBounds(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	now := epoch
	for n := range 60 {
		l.stream(host, now, now+50*ms, ms, counters.UDP)
		now += 50 * ms
		l.flip(now)
		if n%20 == 19 {
			l.endSecond()
		}
	}
	if got, want := h.Over(PPS, 500), now-spanCount*50*ms; got != want {
		t.Errorf("over since %d ms, want the oldest span's begin %d", (got-epoch)/ms,
			(want-epoch)/ms)
	}
	l.last += 100 * ms // a leap of the clock between two flips
	l.stream(host, l.last, l.last+50*ms, ms, counters.UDP)
	l.flip(l.last + 50*ms)
	if got, want := h.Over(PPS, 500), l.last-50*ms; got != want {
		t.Errorf("over since %d ms across a gap, want %d", (got-epoch)/ms, (want-epoch)/ms)
	}
}

func TestAverages(t *testing.T) {
	l := newLab(t, 4, "10.0.0.0/24")
	h := l.add(host, false)
	f := func(want ...uint64) {
		t.Helper()
		for i, r := range h.Averages() {
			if r.Packets[UDP] != want[i] || r.Bits[Total] != want[i]*800 || r.Flows != 0 {
				t.Errorf("after %d ms: over %d s %d pps, %d bps, %d flows; want %d pps",
					(l.last-epoch)/ms, Windows[i]/Second, r.Packets[UDP], r.Bits[Total], r.Flows,
					want[i])
			}
		}
	}
	// Second n has 100·n packets; what came before it was watched counts as nothing.
	for n := int64(1); n <= 12; n++ {
		for range 100 * n {
			l.packet(host, false, sample{at: l.last, class: counters.UDP, bytes: 100})
		}
		l.flip(epoch + n*Second)
		switch n {
		case 1:
			f(50, 20, 10)
		case 2:
			f(150, 60, 30)
		case 5:
			f(450, 300, 150)
		case 12:
			f(1150, 1000, 750)
		}
		l.add(host, false) // warm
		l.endSecond()
	}
	// Just after a tick the second has nothing yet; in its middle it has what came so far.
	f(600, 840, 720)
	l.stream(host, l.last, l.last+100*ms, ms, counters.UDP)
	l.flip(l.last + 100*ms)
	f(650, 860, 730)
}

func TestForget(t *testing.T) {
	l := newLab(t, 2, "10.0.0.0/24")
	l.add(host, false)
	for n := range int64(idleTicks) {
		l.second(l.last + Second)
		if l.watch.Get(keyOf(host), false) == nil {
			t.Fatalf("forgotten after %d seconds", n+1)
		}
	}
	l.add(host, false) // warm again
	for range idleTicks {
		l.second(l.last + Second)
	}
	if l.watch.Len() != 1 {
		t.Fatal("forgotten though it was warm in between")
	}
	l.second(l.last + Second)
	if l.watch.Len() != 0 || l.watch.Get(keyOf(host), false) != nil {
		t.Fatalf("still watched %d seconds after it was warm", idleTicks+1)
	}
	// What it was is gone with it.
	h := l.add(host, false)
	if r := h.LastSecond(l.last); r != (Rates{}) || h.Steady() || h.Group != 0 {
		t.Errorf("a host of old times begins with %+v", r)
	}
}

func TestMissed(t *testing.T) {
	l := newLab(t, 2, "10.0.0.0/24")
	a, b := l.add("10.0.0.1", false), l.add("10.0.0.1", true)
	if a == nil || b == nil || a == b {
		t.Fatal("two directions of a host are two places")
	}
	for n := range uint64(3) {
		if l.add("10.0.0.2", false) != nil || l.watch.Missed != n+1 {
			t.Errorf("full: missed %d, want %d", l.watch.Missed, n+1)
		}
	}
	if got := l.watch.Add(l.layout, a.Key, true, 7); got != b || b.Group != 7 {
		t.Errorf("a full Watch keeps what it has, with the new group: %d", b.Group)
	}
	for range idleTicks {
		l.second(l.last + Second)
		l.add("10.0.0.1", true)
	}
	l.second(l.last + Second)
	if l.watch.Len() != 1 || l.watch.At(0) != b {
		t.Fatalf("%d watched, want the outgoing one", l.watch.Len())
	}
	if l.add("10.0.0.2", false) == nil || l.watch.Missed != 3 {
		t.Error("the place of a forgotten host is not free")
	}
}

// Hosts of networks too wide for a slot each are found by their key.
func TestWatchListedHosts(t *testing.T) {
	l := newLab(t, 4, "2001:db8::/32", "10.0.0.0/24")
	const one, two = "2001:db8::1", "2001:db8:0:0:1::1"
	a, b := l.add(one, false), l.add(two, false)
	for i := range int64(30) {
		l.packet(one, false, sample{at: epoch + i*ms, bytes: 100})
		l.packet(one, true, sample{at: epoch + i*ms, bytes: 1000})
		if i >= 20 {
			l.packet(two, false, sample{at: epoch + i*ms, bytes: 50})
		}
	}
	l.flip(epoch + 40*ms)
	x, y := a.LastSecond(l.last), b.LastSecond(l.last)
	if x.Packets[TCP] != 30 || x.Bits[TCP] != 24000 || y.Packets[TCP] != 10 || y.Bits[TCP] != 4000 {
		t.Errorf("two hosts of a /64: %+v and %+v", x, y)
	}
	if got := b.Over(PPS, 1); got != epoch+20*ms {
		t.Errorf("over since %d ms, want 20", (got-epoch)/ms)
	}
}

// TestWatchNoAllocs lets a full Watch follow a crowd that changes all the time.
func TestWatchNoAllocs(t *testing.T) {
	const size = 4096
	l := newLab(t, size, "10.0.0.0/16")
	var next uint32
	key := func(n uint32) counters.Key {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24|n&0xffff)
		return counters.KeyOf(netip.AddrFrom4(a))
	}
	second := func() {
		for range size / idleTicks { // as many as are forgotten
			k := key(next * 0x9e37)
			l.packetOf(k, next%2 == 0, sample{at: l.last, bytes: 100})
			l.watch.Add(l.layout, k, next%2 == 0, 0)
			next++
		}
		l.flip(l.last + 100*ms)
		for i := range l.watch.Len() {
			h := l.watch.At(i)
			r, latest := h.LastSecond(l.last), h.Latest()
			if r.Packets[Total] > 1 || latest.Packets[Total] > 1000 || h.Over(PPS, 0) > l.last {
				panic("BUG: more than one packet")
			}
			h.Averages()
		}
		l.second(l.last + 900*ms)
	}
	seconds := 2 * idleTicks // in its first run, which is not measured: until it is full
	if got := testing.AllocsPerRun(1, func() {
		for range seconds {
			second()
		}
		seconds = 150
	}); got != 0 {
		t.Errorf("150 s of changing hosts allocate %v times", got)
	}
	if l.watch.Len() < size*9/10 {
		t.Errorf("%d watched: the crowd never filled %d places", l.watch.Len(), size)
	}
}
