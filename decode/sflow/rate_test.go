package sflow

import (
	"math/rand/v2"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// device is a switch that samples: of each source it counts the pool, and at random sends or
// drops samples.
type device struct {
	random   *rand.Rand
	flows    [2]sflowtest.Flow
	shared   bool    // one pool for all sources, against the standard
	drop     float64 // share of samples that it drops
	told     bool    // it counts them
	rubbish  bool    // what it calls drops is something else
	actual   uint32  // 1:N, in fact
	datagram uint32
}

func newDevice(rate uint32) *device {
	d := &device{random: rand.New(rand.NewPCG(1, uint64(rate))), actual: rate, told: true}
	for i := range d.flows {
		d.flows[i] = sflowtest.Flow{
			Source: uint32(i + 1), Rate: rate, Pool: 1<<32 - 1e6 + 3e9*uint32(i),
		}
	}
	return d
}

// sample returns the next sample that is sent.
func (s *device) sample(header []byte) []byte {
	for {
		i := s.random.IntN(len(s.flows))
		f := &s.flows[i]
		skip := 1 + uint32(s.random.ExpFloat64()*float64(s.actual))
		f.Pool += skip
		if s.shared {
			s.flows[1-i].Pool = f.Pool
		}
		if s.random.Float64() < s.drop {
			if s.told {
				f.Drops++
			}
			continue
		}
		if s.rubbish {
			f.Drops += 7
		}
		f.Sequence++
		return f.Sample(header)
	}
}

// rates returns the rates of n records.
func (s *device) rates(d *Decoder, n int) []uint32 {
	header := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	var all []uint32
	for range n {
		s.datagram++
		h := sflowtest.Head{Agent: agent4, Sequence: s.datagram, Uptime: 10 * s.datagram}
		all = append(all, read(d, h.Datagram(s.sample(header)))[0].Sampling)
	}
	return all
}

// TestEffectiveRate: a rate that holds is never left, samples that are dropped are made up for,
// and a pool that is no evidence is not believed.
func TestEffectiveRate(t *testing.T) {
	f := func(name string, s *device, want, within uint32) {
		t.Helper()
		d := NewDecoder(Counted, &decode.Decoder{})
		all := s.rates(d, 40_000)
		for i, got := range all[8000:] {
			if got+within < want || got > want+within {
				t.Fatalf("%s: sample %d: 1:%d, want 1:%d ± %d", name, i+8000, got, want, within)
			}
		}
		told := s.flows[0].Rate
		if all[0] != told {
			t.Errorf("%s: begins at 1:%d, told 1:%d", name, all[0], told)
		}
		if g := d.Datagram(); g.Learned != decode.RateRecord || g.Rate != all[len(all)-1] {
			t.Errorf("%s: %s, 1:%d", name, g.Learned, g.Rate)
		}
		exported := s.rates(NewDecoder(All, &decode.Decoder{}), 1000)
		if exported[999] != told {
			t.Errorf("%s: as exported 1:%d, told 1:%d", name, exported[999], told)
		}
	}
	for _, rate := range []uint32{1, 10, 1000, 1 << 20} {
		f("sound", newDevice(rate), rate, 0)
	}
	s := newDevice(1000)
	s.drop = 0.01
	f("a few drops", s, 1000, 0)
	s = newDevice(1000)
	s.drop = 0.2
	f("some drops, counted", s, 1250, 200)
	s = newDevice(1000)
	s.drop = 0.75
	f("drops, counted", s, 4000, 600)
	s = newDevice(1000)
	s.drop, s.told = 0.75, false
	f("drops, not counted", s, 4000, 600)
	s = newDevice(1000)
	s.actual = 512
	f("another rate than told", s, 512, 80)
	s = newDevice(1000)
	s.shared = true
	f("one pool for all", s, 1000, 0)
	s = newDevice(1000)
	s.drop, s.rubbish = 0, true
	f("drops that are none", s, 1000, 0)
	s = newDevice(0)
	s.flows[0].Rate, s.flows[1].Rate, s.actual = 1000, 1000, 0
	f("a pool that says 1:1", s, 1000, 0)
}

// TestSampling: where a rate is from, and its bounds.
func TestSampling(t *testing.T) {
	f := func(rate, override, fallback, want uint32, learned decode.RateSource) {
		t.Helper()
		for _, fields := range []Fields{Counted, All} {
			d := NewDecoder(fields, &decode.Decoder{})
			s := sampled
			s.Rate = rate
			d.Begin(&decode.Arrival{
				Payload: one(s.Sample(sflowtest.Tagged(3, ip4Record))), Sampling: override,
				Default: fallback,
			})
			var out [1]decode.Record
			d.Next(out[:])
			g := d.Datagram()
			if out[0].Sampling != want || g.Learned != learned || g.Rate != want {
				t.Errorf("1:%d, %s, 1:%d; want 1:%d, %s", out[0].Sampling, g.Learned, g.Rate, want,
					learned)
			}
		}
	}
	f(100, 0, 50, 100, decode.RateRecord)
	f(1, 0, 0, 1, decode.RateRecord)
	f(1<<24+1, 0, 0, 1<<24, decode.RateRecord)
	f(1<<32-1, 0, 0, 1<<24, decode.RateRecord)
	f(0, 0, 50, 50, decode.RateUnknown)
	f(0, 0, 0, 1, decode.RateUnknown)
	f(0, 0, 1<<30, 1<<24, decode.RateUnknown)
	f(100, 7, 50, 7, decode.RateConfigured)
	f(0, 1<<30, 50, 1<<24, decode.RateConfigured)
}

// TestRateChange: a new configuration of the switch, and a restart, take effect at once.
func TestRateChange(t *testing.T) {
	d := NewDecoder(Counted, &decode.Decoder{})
	s := newDevice(1000)
	s.drop, s.told = 0.75, false
	if got := s.rates(d, 2000)[1999]; got < 2500 {
		t.Fatalf("1:%d; three of four are dropped", got)
	}
	s.drop, s.actual = 0, 64
	s.flows[0].Rate, s.flows[1].Rate = 64, 64
	for i, got := range s.rates(d, 5000) {
		if got != 64 {
			t.Fatalf("sample %d: 1:%d, want 1:64", i, got)
		}
	}
	s.flows[0].Pool, s.flows[1].Pool = 0, 0
	for i, got := range s.rates(d, 5000) {
		if got != 64 {
			t.Fatalf("sample %d after a restart: 1:%d, want 1:64", i, got)
		}
	}
}

// TestManySources: invented agents and sources take no memory, and those that go on sending are
// not forgotten for them: neither what they lost, nor at which rate they sample.
func TestManySources(t *testing.T) {
	d := NewDecoder(Counted, &decode.Decoder{})
	header := sflowtest.Header(1, 146, 4, frame(isIPv4, udp4()))
	s := newDevice(1000)
	s.drop, s.told = 0.75, false
	s.rates(d, 10_000)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		for range 8 {
			f := sflowtest.Flow{Source: random.Uint32(), Rate: 700, Pool: random.Uint32()}
			h := sflowtest.Head{Agent: agent4, Sub: random.Uint32(), Sequence: random.Uint32()}
			if all := read(d, h.Datagram(f.Sample(header))); all[0].Sampling != 700 {
				t.Fatalf("1:%d, want 1:700", all[0].Sampling)
			}
		}
		s.datagram++
		got, g := s.rates(d, 1)[0], d.Datagram()
		if got < 3400 || got > 4600 || g.Lost != 1 || g.Restart || g.Late {
			t.Fatalf("round %d: a sound agent samples 1:%d, %+v", round, got, *g)
		}
	}
}

// TestLateSamples: samples that come in another order change nothing.
func TestLateSamples(t *testing.T) {
	var s source
	var a agent
	pool := uint32(1<<32 - 1e6)
	for i := range 10_000 {
		pool += 4000
		late := uint32(0)
		switch i % 10 {
		case 3:
			late = 4000
		case 4:
			late = ^uint32(4000) + 1
		}
		if got := s.add(&a, 1000, pool+late, 0); i > 1000 && (got < 3900 || got > 4100) {
			t.Fatalf("sample %d: 1:%d, want 1:4000", i, got)
		}
	}
}

// TestRestart: a device that begins anew, early or late in its life, costs no more than a window.
func TestRestart(t *testing.T) {
	for _, before := range []uint32{10, 200, 1_000_000} {
		var s source
		var a agent
		for i := range before {
			s.add(&a, 1000, 1000*i, 0)
		}
		for i := range uint32(10_000) {
			if got := s.add(&a, 1000, 1000*i, 0); got != 1000 {
				t.Fatalf("after %d samples, sample %d: 1:%d", before, i, got)
			}
		}
	}
}

// TestFrozenPool: a pool that stands still is no evidence.
func TestFrozenPool(t *testing.T) {
	s := source{configured: 1000, rate: 4000, lastPool: 7}
	var a agent
	for range 2 * window {
		s.add(&a, 1000, 7, 0)
	}
	if s.rate != 1000 {
		t.Errorf("1:%d, want 1:1000", s.rate)
	}
}

// TestHysteresis: what is within noise of the rate told is that rate; once it was beyond, half
// the noise must do.
func TestHysteresis(t *testing.T) {
	f := func(seen, now, drops, want uint32) {
		t.Helper()
		s := source{pool: uint64(seen) * window, configured: 1000, rate: now, drops: drops}
		if got := s.effective(false); got != want {
			t.Errorf("1:%d seen, 1:%d now, %d drops: 1:%d, want 1:%d", seen, now, drops, got, want)
		}
		if got := s.effective(true); got != 1000 {
			t.Errorf("a pool of several: 1:%d", got)
		}
	}
	f(1000, 1000, 0, 1000)
	f(1350, 1000, 0, 1000)
	f(1370, 1000, 0, 1370)
	f(1300, 1370, 0, 1361)
	f(1170, 1370, 0, 1000)
	f(740, 1000, 0, 1000)
	f(700, 1000, 0, 700)
	f(4000, 1370, 0, 4000)
	f(1200, 1000, 6, 1000)
	f(1200, 1000, 32, 1250)
	f(1000, 1000, 1280, 1000)
	f(62, 1000, 0, 1000)
	f(63, 1000, 0, 63)
	f(4_096_000, 1000, 0, 4_096_000)
	f(4_096_001, 1000, 0, 1000)
}
