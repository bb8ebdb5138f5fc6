package rate

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"unsafe"

	"weir/counters"
)

// told is a view of flow records: a table, a merger and a spreader.
type told struct {
	t       testing.TB
	layout  *counters.Layout
	table   *counters.Table
	merger  *counters.Merger
	spread  *Spreader
	now     int64
	packets uint64 // of all records
	bytes   uint64
	shown   uint64 // packets of all seconds
	size    uint64
}

func newTold(t testing.TB, networks ...string) *told {
	t.Helper()
	var nets []netip.Prefix
	for _, n := range networks {
		nets = append(nets, netip.MustParsePrefix(n))
	}
	m := &counters.Memory{}
	t.Cleanup(func() { _ = m.Close() })
	l, err := counters.NewFlowLayout(nets, 1, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	v := &told{t: t, layout: l, spread: NewSpreader(l), now: 1e18}
	if v.table, err = counters.NewTable(m, l); err != nil {
		t.Fatal(err)
	}
	if v.merger, err = counters.NewMerger(m, l); err != nil {
		t.Fatal(err)
	}
	v.table.Start = v.now
	v.merger.Reset(v.now)
	return v
}

// record counts a flow towards host.
func (v *told) record(host string, milli uint32, packets, bytes uint64) {
	v.t.Helper()
	slot, direct, ok := v.layout.Slot(netip.MustParseAddr(host))
	if !ok || !direct {
		v.t.Fatalf("%s has no slot", host)
	}
	op := counters.FlowOp{
		Packets: packets, Bytes: bytes, Samples: packets, Rate: 1, Milli: milli, Slot: slot,
		Class: counters.UDP,
	}
	v.packets += packets
	v.bytes += bytes
	v.table.CountFlows([]counters.FlowOp{op}, v.now)
}

// second ends a second and returns what host had in it.
func (v *told) second(host string) (r Rates) {
	v.now += Second
	v.merger.Add(v.table, 1)
	v.spread.Second(v.merger, v.now-v.table.Start)
	v.merger.Sort()
	for i := range v.merger.Len() {
		e := v.merger.Entry(i)
		p, b := e.Total()
		v.shown += p
		v.size += b
		if e.Key.Addr() == netip.MustParseAddr(host) {
			r = OfEntry(v.merger, e, Second)
		}
	}
	v.merger.Reset(v.now)
	v.table.Start = v.now
	return r
}

// A flow that goes on and is told every so often shows its rate in every second, from the first
// export on.
func TestSpreadSteady(t *testing.T) {
	for _, timeout := range []int64{1, 2, 5, 7, 10, 30, 60, 120, 300} {
		v := newTold(t, "10.0.0.0/24")
		const pps = 50_000
		for s := range 4 * timeout {
			if s%timeout == 0 {
				n := uint64(pps * timeout)
				v.record("10.0.0.1", uint32(timeout*1000), n, n*100)
			}
			r := v.second("10.0.0.1")
			if got := r.Packets[UDP]; math.Abs(float64(got)-pps) > pps/10 {
				t.Fatalf("timeout %d s, second %d: %d packets/s", timeout, s, got)
			}
			if got := r.Bits[Total]; math.Abs(float64(got)-pps*800) > pps*80 {
				t.Fatalf("timeout %d s, second %d: %d bits/s", timeout, s, got)
			}
			if r.Flows == 0 || r.FlowsAtMin {
				t.Fatalf("timeout %d s, second %d: %d flows, %v", timeout, s, r.Flows, r.FlowsAtMin)
			}
		}
	}
}

// What a late worker read in three seconds is shown in three, and no packet less; a tenth of a
// second late is none.
func TestSpreadLate(t *testing.T) {
	f := func(late, each int64, seconds int) {
		t.Helper()
		v := newTold(t, "10.0.0.0/24")
		v.now += late
		v.record("10.0.0.1", 0, 900, 900*100)
		for s := range seconds {
			if r := v.second("10.0.0.1"); int64(r.Packets[UDP]) != each {
				t.Errorf("%d ns late, second %d: %d packets", late, s, r.Packets[UDP])
			}
		}
		if r := v.second("10.0.0.1"); v.shown != v.packets || v.size != v.bytes || r.Flows != 0 {
			t.Errorf("%d ns late: %d packets of %d shown", late, v.shown, v.packets)
		}
	}
	f(0, 900, 1)
	f(Second/10, 900, 1)
	f(Second, 450, 2)
	f(2*Second, 300, 3)
}

// A flow of a day is no spike: 22 hours at 1 Mbit/s, told at once.
func TestSpreadDay(t *testing.T) {
	v := newTold(t, "10.0.0.0/24")
	const hours = 22 * 3600
	v.record("10.0.0.1", hours*1000, hours*125, hours*125_000)
	for s := range 400 {
		if r := v.second("10.0.0.1"); r.Bits[Total] > 1_100_000 {
			t.Fatalf("second %d: %d bits/s", s, r.Bits[Total])
		}
	}
	if want := uint64(counters.Spread * 125); v.shown < want-1 || v.shown > want+1 {
		t.Errorf("%d packets shown, not %d", v.shown, want)
	}
}

// Short flows count at once, long ones and short ones of one host beside each other.
func TestSpreadMixed(t *testing.T) {
	v := newTold(t, "10.0.0.0/24")
	v.record("10.0.0.1", 0, 500, 500*60)
	v.record("10.0.0.1", 10_000, 1000, 1000*60)
	if r := v.second("10.0.0.1"); r.Packets[UDP] != 600 || r.Flows != 2 {
		t.Errorf("first second: %d packets, %d flows", r.Packets[UDP], r.Flows)
	}
	if r := v.second("10.0.0.1"); r.Packets[UDP] != 100 || r.Flows != 1 {
		t.Errorf("second second: %d packets, %d flows", r.Packets[UDP], r.Flows)
	}
}

// Whatever comes, every packet and byte is shown once.
func TestSpreadConserves(t *testing.T) {
	v := newTold(t, "10.0.0.0/24")
	v.spread.most = 20 // room for few: the rest counts at once
	r := rand.New(rand.NewPCG(3, 4))
	for s := range 1000 {
		for range r.IntN(20) * min(1, s%7) {
			milli := uint32(math.Exp(r.Float64() * math.Log(300_000)))
			n := r.Uint64N(1e6)
			v.record(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(30))}).String(), milli, n,
				n*(40+r.Uint64N(1460)))
		}
		v.second("10.0.0.1")
	}
	for v.spread.Held() > 0 {
		v.second("10.0.0.1")
	}
	if v.shown != v.packets || v.size != v.bytes {
		t.Errorf("%d packets and %d bytes told, %d and %d shown", v.packets, v.bytes, v.shown,
			v.size)
	}
	if v.spread.Full == 0 {
		t.Error("there was always room")
	}
	for slot, i := range v.spread.direct {
		if i != 0 {
			t.Errorf("slot %d is left in the index", slot)
		}
	}
	if n := v.spread.held.n - int32(len(v.spread.held.unused)); n != 0 {
		t.Errorf("%d hosts are left", n)
	}
	if n := v.spread.parts.n - int32(len(v.spread.parts.unused)); n != 0 {
		t.Errorf("%d parts are left", n)
	}
	if n := v.spread.pools.n - int32(len(v.spread.pools.unused)); n != 0 {
		t.Errorf("%d pools are left", n)
	}
}

// A host with many flows of many lengths shows the sum of their rates.
func TestSpreadMany(t *testing.T) {
	v := newTold(t, "10.0.0.0/24")
	r := rand.New(rand.NewPCG(5, 6))
	const flows, each = 400, 100 // packets a second
	next := make([]int, flows)
	length := make([]int, flows)
	for f := range flows {
		length[f] = 1 + r.IntN(60)
		next[f] = length[f]
	}
	sum := 0.0
	for s := range 320 {
		for f := range flows {
			if s == next[f] {
				n := uint64(length[f] * each)
				v.record("10.0.0.1", uint32(length[f]*1000), n, n*100)
				next[f] += length[f]
			}
		}
		got := float64(v.second("10.0.0.1").Packets[UDP])
		if s < 120 {
			continue
		}
		if sum += got; math.Abs(got-flows*each) > flows*each/4 {
			t.Errorf("second %d: %.0f packets, not %d", s, got, flows*each)
		}
	}
	if mean := sum / 200; math.Abs(mean-flows*each) > flows*each*3/100 {
		t.Errorf("%.0f packets a second, not %d", mean, flows*each)
	}
	if v.spread.Full > 0 || v.spread.parts.n > exactParts {
		t.Errorf("%d without room, %d parts", v.spread.Full, v.spread.parts.n)
	}
}

// An exporter that looks through its cache every ten seconds tells of ten seconds' short flows at
// once: they are shown over ten. One that tells of each 15 s after its end is believed at once.
func TestSpreadTogether(t *testing.T) {
	v := newTold(t, "10.0.0.0/24")
	const pps = 1000
	for s := range 50 {
		if s%10 == 0 {
			for age := uint32(1); age <= 10_000; age += 100 {
				v.aged("10.0.0.1", age, pps/10)
			}
		}
		if got := v.second("10.0.0.1").Packets[UDP]; got < pps*8/10 || got > pps*12/10 {
			t.Errorf("second %d: %d packets", s, got)
		}
	}
	v = newTold(t, "10.0.0.0/24")
	for age := uint32(15_000); age < 16_000; age += 10 {
		v.aged("10.0.0.1", age, 10)
	}
	if got := v.second("10.0.0.1").Packets[UDP]; got != 1000 {
		t.Errorf("%d packets at once", got)
	}
}

// aged counts a flow of no duration that was told so many milliseconds after its end.
func (v *told) aged(host string, age uint32, packets uint64) {
	v.t.Helper()
	slot, _, _ := v.layout.Slot(netip.MustParseAddr(host))
	v.packets += packets
	v.table.CountFlows([]counters.FlowOp{{
		Packets: packets, Samples: packets, Rate: 1, Age: age, Slot: slot, Class: counters.UDP,
	}}, v.now)
}

// TestSpreadLines holds structs to the cache lines that they say they need.
func TestSpreadLines(t *testing.T) {
	var h held
	if n := unsafe.Sizeof(h); n != 4*64 {
		t.Errorf("a held host has %d bytes", n)
	}
	rate := unsafe.Sizeof(h.steady.rates[0])
	if n := unsafe.Offsetof(h.steady) + unsafe.Offsetof(h.steady.rates) + 2*rate; n != 2*64 {
		t.Errorf("TCP and UDP of a held host end at %d", n)
	}
	var p pool
	if n := unsafe.Offsetof(p.counts) + 2*unsafe.Sizeof(p.counts[0]); n != 64 {
		t.Errorf("TCP and UDP of a pool end at %d", n)
	}
}
