package fastpath

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/counters"
	"weir/decode"
	"weir/ring"
	"weir/ring/ringtest"
)

// udp builds an Ethernet frame with a UDP packet.
func udp(src, dst string, sport, dport uint16, size int) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	b := make([]byte, 14+size)
	at := 34
	if d.Is4() {
		binary.BigEndian.PutUint16(b[12:], 0x0800)
		b[14], b[22], b[23] = 0x45, 60, 17
		binary.BigEndian.PutUint16(b[16:], uint16(size))
		copy(b[26:], s.AsSlice())
		copy(b[30:], d.AsSlice())
	} else {
		binary.BigEndian.PutUint16(b[12:], 0x86dd)
		b[14], b[20], b[21] = 0x60, 17, 60
		binary.BigEndian.PutUint16(b[18:], uint16(size-40))
		copy(b[22:], s.AsSlice())
		copy(b[38:], d.AsSlice())
		at = 54
	}
	binary.BigEndian.PutUint16(b[at:], sport)
	binary.BigEndian.PutUint16(b[at+2:], dport)
	binary.BigEndian.PutUint16(b[at+4:], uint16(len(b)-at))
	return b
}

// rig is a worker with its tables.
type rig struct {
	dir *counters.Directory
	*Worker
	source *ringtest.Source
	layout *counters.Layout
	policy *Policy
	tables [2]*counters.Table
	merger *counters.Merger
	seq    uint64
}

func newRig(tb testing.TB, limits Limits, networks ...string) *rig {
	tb.Helper()
	var nets []netip.Prefix
	for _, n := range networks {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	r := &rig{source: ringtest.NewSource(), seq: 1}
	r.source.End = nil
	var err error
	check := func() {
		if err != nil {
			tb.Fatal(err)
		}
	}
	r.layout, err = counters.NewLayout(nets, 1, 256<<20)
	check()
	r.policy, err = NewPolicy(r.layout, []Group{{Limits: [2]Limits{limits, limits}}},
		&decode.Decoder{}, 1)
	check()
	m := &counters.Memory{}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	for i := range r.tables {
		r.tables[i], err = counters.NewTable(m, r.layout)
		check()
	}
	r.merger, err = counters.NewMerger(m, r.layout)
	check()
	dir, err := counters.NewDirectory(m, r.layout, 7)
	if err != nil {
		tb.Fatal(err)
	}
	r.dir = dir
	r.Worker = NewWorker(Config{
		Source: r.source, Seed: 7,
		First: Epoch{Seq: 1, Policy: r.policy, Table: r.tables[0], Directory: dir},
	})
	return r
}

// offer lets the worker count frames, given at one microsecond's distance.
func (r *rig) offer(tb testing.TB, frames ...[]byte) {
	tb.Helper()
	for i, f := range frames {
		r.source.Add(ringtest.Frame{Time: int64(i) * 1000, Link: 1, Data: f})
	}
	for n := 1; n > 0; {
		var err error
		if n, err = r.Step(); err != nil {
			tb.Fatal(err)
		}
	}
}

// flip retires the table and merges it.
func (r *rig) flip(tb testing.TB) counters.Stats {
	tb.Helper()
	old := r.tables[(r.seq-1)&1]
	r.seq++
	r.Publish(&Epoch{
		Seq: r.seq, Policy: r.policy, Table: r.tables[(r.seq-1)&1], Directory: r.dir,
	})
	if _, err := r.Step(); err != nil || r.Acked() != r.seq {
		tb.Fatalf("flip to %d: acknowledged %d, %v", r.seq, r.Acked(), err)
	}
	stats := old.Stats
	r.merger.Reset(0)
	r.merger.Add(old, 1)
	r.merger.Sort()
	return stats
}

func (r *rig) find(ip string, outgoing bool) *counters.Entry {
	a := netip.MustParseAddr(ip)
	slot, direct, _ := r.layout.Slot(a)
	return r.merger.Find(counters.KeyOf(a), slot, direct, outgoing)
}

// A host that has a packet in the burst at hand keeps its place in the directory, though in this
// epoch nothing of it is counted yet.
func TestEvictionWithinBurst(t *testing.T) {
	r := newRig(t, Limits{Packets: [NumAspects]uint64{Total: 100}}, "2001:db8::/48")
	const ways = 16
	buckets := uint64(r.layout.Directory / ways)
	var hosts []string // one more than the bucket takes
	for i := uint64(0); len(hosts) <= ways; i++ {
		a := decode.Addr{Hi: 0x20010db8 << 32, Lo: i}
		if r.dir.Hash(counters.Key(a))%buckets == 7 {
			hosts = append(hosts, a.Netip().String())
		}
	}
	to := func(hosts ...string) (frames [][]byte) {
		for _, h := range hosts {
			frames = append(frames, udp("2a00::1", h, 1, 2, 80))
		}
		return frames
	}
	r.offer(t, to(hosts[:ways]...)...)
	r.flip(t)
	r.offer(t, to(hosts[0], hosts[ways])...)
	r.flip(t)
	for _, h := range []string{hosts[0], hosts[ways]} {
		e := r.find(h, false)
		if e == nil {
			t.Errorf("%s was not counted", h)
			continue
		}
		if packets, _ := e.Total(); packets != 1 {
			t.Errorf("%s has %d packets, not 1", h, packets)
		}
	}
}

func TestBothSidesAreCounted(t *testing.T) {
	for _, nets := range [][]string{{"10.0.0.0/24"}, {"2001:db8::/120"}, {"2001:db8::/32"}} {
		r := newRig(t, Limits{Packets: [NumAspects]uint64{Total: 64}}, nets...)
		ours, other, far := "10.0.0.1", "10.0.0.2", "8.8.8.8"
		if nets[0] != "10.0.0.0/24" {
			ours, other, far = "2001:db8::1", "2001:db8::2", "2a00::8"
		}
		r.offer(t,
			udp(far, ours, 53, 1, 100), udp(far, ours, 53, 1, 200), // towards us
			udp(ours, far, 1, 53, 300),   // from us
			udp(ours, other, 1, 53, 400), // within
			udp(far, "9.9.9.9", 1, 1, 100),
		)
		s := r.flip(t)
		if s.Received != 5 || s.Processed != 4+1 || s.Internal != 1 {
			t.Errorf("%v: received %d, processed %d, internal %d", nets, s.Received, s.Processed,
				s.Internal)
		}
		f := func(ip string, outgoing bool, packets, bytes uint64) {
			t.Helper()
			e := r.find(ip, outgoing)
			if e == nil {
				t.Errorf("%v: no entry for %s outgoing=%v", nets, ip, outgoing)
			} else if e.Packets(counters.UDP) != packets || e.Bytes(counters.UDP) != bytes {
				t.Errorf("%v: %s outgoing=%v: %d packets, %d bytes; want %d, %d", nets, ip,
					outgoing,
					e.Packets(counters.UDP), e.Bytes(counters.UDP), packets, bytes)
			}
		}
		f(ours, false, 2, 300)
		f(ours, true, 2, 700)
		f(other, false, 1, 400)
		if e := r.find(other, true); e != nil {
			t.Errorf("%v: %s sent nothing, but has an entry", nets, other)
		}
	}
}

func TestEveryFrameHasAName(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	good := udp("8.8.8.8", "10.0.0.1", 1, 2, 60)
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 1)
	lies := udp("8.8.8.8", "10.0.0.1", 1, 2, 60)
	binary.BigEndian.PutUint16(lies[16:], 9000)
	r.offer(t, good, arp, good[:20], good[:36], lies, nil)
	s := r.flip(t)
	var dropped, damaged uint64
	for i := range s.Dropped {
		dropped += s.Dropped[i]
		damaged += s.Damaged[i]
	}
	if s.Received != 6 || s.Received != s.Processed+s.Shed+dropped {
		t.Errorf("received %d, processed %d, shed %d, dropped %v", s.Received, s.Processed, s.Shed,
			s.Dropped)
	}
	if s.Dropped[decode.NotIP] != 1 || s.Dropped[decode.Truncated] != 2 || damaged != 2 {
		t.Errorf("dropped %v, damaged %v", s.Dropped, s.Damaged)
	}
	e := r.find("10.0.0.1", false)
	if p, b := e.Total(); p != 3 || b > 3*60 {
		t.Errorf("the target has %d packets and %d bytes; a lying length must not inflate it", p, b)
	}
}

func TestHintsAndSamples(t *testing.T) {
	r := newRig(t, Limits{Packets: [NumAspects]uint64{UDP: 1000}}, "10.0.0.0/24")
	frames := make([][]byte, 5000)
	for i := range frames {
		frames[i] = udp("8.8.8.8", "10.0.0.9", uint16(i), 80, 60)
	}
	r.offer(t, frames...)
	var hints []ring.Hint
	for h := r.Hints.Front(); h != nil; h = r.Hints.Front() {
		hints = append(hints, *h)
		r.Hints.Advance()
	}
	if len(hints) != 2 || hints[0].Over || !hints[1].Over {
		t.Fatalf("hints %+v; want one for a fifth of the limit, one for the limit", hints)
	}
	f := func(name string, at, from, to int64) {
		t.Helper()
		if at < from*1000 || at > to*1000 {
			t.Errorf("%s came with packet %d, want %d to %d", name, at/1000, from, to)
		}
	}
	f("the first hint", hints[0].Time, 200-64, 201+64) // levels are seen per burst
	f("the second hint", hints[1].Time, 1000-64, 1040)
	if got := (counters.Key{Hi: hints[1].Hi, Lo: hints[1].Lo}).Addr().String(); got != "10.0.0.9" {
		t.Errorf("the hint names %s", got)
	}
	before, weight := 0, 0.0
	for s := r.Samples.Front(); s != nil; s = r.Samples.Front() {
		if s.Stream == ring.Warm {
			weight += float64(s.Gap)
			if s.Time <= hints[1].Time {
				before++
			}
		}
		r.Samples.Advance()
	}
	if before < 20 || weight < 3500 || weight > 6500 {
		t.Errorf("%d samples before the limit, standing for %.0f packets of 4800", before, weight)
	}
}

// However many frames come, baseline samples are few enough to stay in control's store, and each
// says what it stands for.
func TestBaselineIsBounded(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	frame := udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	now := int64(0)
	f := func(distance int64, gap uint32) {
		t.Helper()
		const frames = 200_000
		for range frames {
			now += distance
			r.source.Add(ringtest.Frame{Time: now, Link: 1, Data: frame})
		}
		r.offer(t)
		samples, weight := 0, uint32(0)
		for s := r.Samples.Front(); s != nil; s = r.Samples.Front() {
			if s.Stream != ring.Baseline || s.Gap < gap*9/10 || s.Gap > gap*11/10 {
				t.Fatalf("frames %d ns apart: sample %+v, want a baseline's of one in %d", distance,
					s, gap)
			}
			samples++
			weight += s.Gap
			r.Samples.Advance()
		}
		if weight < frames/2 || weight > frames*2 {
			t.Errorf("%d samples stand for %d of %d frames", samples, weight, frames)
		}
		r.flip(t)
	}
	f(50, baselineGap)
	f(50, 20_000_000/mostBaseline)
	f(1000, 20_000_000/mostBaseline)
	f(50, baselineGap)
}

// A worker that keeps up empties a full ring, and leaves nothing out; one that does not leaves out
// more and more.
func TestShedding(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	frames := make([][]byte, 64*2000)
	for i := range frames {
		frames[i] = udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	}
	for range 3 {
		r.source.Fill = 100
		r.offer(t, frames[:64*(lasts-1)]...)
		r.source.Fill = shedAbove
		r.offer(t, frames[:64]...)
	}
	if s := r.flip(t); s.Shed != 0 {
		t.Errorf("ring full for %d bursts: %d of %d shed", lasts-1, s.Shed, s.Received)
	}
	r.source.Fill = 90
	r.offer(t, frames[:64*(lasts+100)]...)
	s := r.flip(t)
	if half := uint64(64 * 100 / 2); s.Shed < half || s.Shed > half*3/2 {
		t.Errorf("ring 90 %% full for %d bursts: %d shed, of %d received", lasts+100, s.Shed,
			s.Received)
	}
	r.offer(t, frames...)
	s = r.flip(t)
	if s.Received != s.Processed+s.Shed || s.Shed < s.Received*9/10 {
		t.Errorf("ring 90 %% full for long: received %d, processed %d, shed %d", s.Received,
			s.Processed, s.Shed)
	}
	r.source.Fill = 10
	r.offer(t, frames...)
	r.flip(t)
	r.offer(t, frames[:6400]...)
	if s = r.flip(t); s.Shed != 0 {
		t.Errorf("ring 10 %% full for long: still %d of %d shed", s.Shed, s.Received)
	}
}

// A worker that was away while its ring was empty was away: what came meanwhile had to wait.
func TestGap(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	f := udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	at := func(times ...int64) {
		t.Helper()
		for _, now := range times {
			r.source.Add(ringtest.Frame{Time: now, Link: 1, Data: f})
			if n, err := r.Step(); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	at(5000, 5100)
	if s := r.flip(t); s.Gap != 100 || s.Busy != 100 { // and an empty Poll at 5100
		t.Errorf("gap %d, busy for %d", s.Gap, s.Busy)
	}
	at(9100, 9300)
	if s := r.flip(t); s.Gap != 4000 || s.Busy != 200 {
		t.Errorf("gap %d, busy for %d", s.Gap, s.Busy)
	}
}

func TestLongestGroupWins(t *testing.T) {
	l, err := counters.NewLayout([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"),
		netip.MustParsePrefix("2001:db8::/32")}, 1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	group := func(p ...string) (g Group) {
		for _, s := range p {
			g.Prefixes = append(g.Prefixes, netip.MustParsePrefix(s))
		}
		return g
	}
	p, err := NewPolicy(l, []Group{{}, group("10.0.0.0/8"), group("10.0.1.0/24", "2001:db8:1::/48"),
		group("10.0.1.7/32")}, &decode.Decoder{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := func(ip string, want int) {
		t.Helper()
		k := counters.KeyOf(netip.MustParseAddr(ip))
		if g, ok := p.Group(k.Hi, k.Lo); !ok || g != want {
			t.Errorf("group of %s is %d, %v; want %d", ip, g, ok, want)
		}
	}
	f("10.0.0.1", 1)
	f("10.0.1.1", 2)
	f("10.0.1.7", 3)
	f("2001:db8::1", 0)
	f("2001:db8:1::1", 2)
	if _, ok := p.Group(0, 0xffff<<32|11<<24); ok {
		t.Error("11.0.0.0 is in a group")
	}
}

func TestNoAllocs(t *testing.T) {
	r := newRig(t, Limits{Packets: [NumAspects]uint64{Total: 100}}, "10.0.0.0/24", "2001:db8::/48")
	random := rand.New(rand.NewPCG(1, 1))
	f := func(name string, frames ...[]byte) {
		t.Helper()
		b := &r.batch
		b.Mem = b.Mem[:0]
		for i := range ring.BurstSize {
			data := frames[i%len(frames)]
			b.Frames[i] = ring.Frame{
				Off: uint32(len(b.Mem)), Cap: uint32(len(data)), Wire: uint32(len(data)), Link: 1,
			}
			b.Mem = append(b.Mem, data...)
		}
		b.N = ring.BurstSize
		if n := testing.AllocsPerRun(200, r.burst); n != 0 {
			t.Errorf("a burst of %s allocates %v times", name, n)
		}
	}
	good := udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	f("good frames", good, udp("2a00::1", "2001:db8::1", 1, 2, 80), udp("2001:db8::5", "2a00::1", 3,
		4, 90))
	noise := make([]byte, 64)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	f("bad frames", good[:10], good[:30], noise, append(good[:14:14], noise...))
}

func TestSides(t *testing.T) {
	f := func(sides Sides, in, out bool) {
		t.Helper()
		r := newRig(t, Limits{}, "10.0.0.0/24")
		r.dstMask, r.srcMask = sides.masks()
		r.offer(t, udp("10.0.0.1", "10.0.0.2", 1, 2, 60))
		r.flip(t)
		if got := r.find("10.0.0.2", false) != nil; got != in {
			t.Errorf("sides %d: incoming counted: %v", sides, got)
		}
		if got := r.find("10.0.0.1", true) != nil; got != out {
			t.Errorf("sides %d: outgoing counted: %v", sides, got)
		}
	}
	f(BothSides, true, true)
	f(OnlyIncoming, true, false)
	f(OnlyOutgoing, false, true)
}
