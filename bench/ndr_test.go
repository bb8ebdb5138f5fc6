package bench

import (
	"errors"
	"math"
	"testing"
)

// receiver loses what is above its capacity, and its generator does no more than most.
type modelReceiver struct{ capacity, most float64 }

func (m modelReceiver) trial(pps float64) (Trial, error) {
	sent := min(pps, m.most)
	return Trial{Offered: pps, Sent: sent, Loss: max(0, sent-m.capacity) / sent}, nil
}

func TestSearch(t *testing.T) {
	f := func(capacity, most, allowed float64, bound bool) {
		t.Helper()
		s := Search{Highest: 5e6, Allowed: allowed, Within: 0.01}
		r, err := s.Run(modelReceiver{capacity, most}.trial)
		if err != nil {
			t.Fatal(err)
		}
		want := min(capacity/(1-allowed), most, s.Highest)
		if r.PPS > want || r.PPS < want*0.979 || r.Loss > allowed || r.Bound != bound {
			t.Errorf("capacity %v, generator %v, loss %v: got %+v, want %v, bound: %v",
				capacity, most, allowed, r, want, bound)
		}
		if len(r.Trials) > 20 {
			t.Errorf("capacity %v: %d trials", capacity, len(r.Trials))
		}
	}
	f(1e6, 1e9, 0, false)
	f(1e6, 1.5e6, 0, false)
	f(1e6, 1e9, 0.005, false)
	f(1e6, 1e9, 0.5, false)
	f(4.99e6, 1e9, 0, false)
	f(1e5, 1e9, 0, false)
	f(1e9, 2e6, 0, true) // all that is sent arrives
	f(2e6, 2e6, 0, true)
	f(1e9, 1e9, 0, true)
	f(1.99e6, 2e6, 0, false)
}

// slowSearch tries every rate of a grid.
func slowSearch(m modelReceiver, s *Search) (best float64) {
	for pps := s.Highest * s.Within; pps <= s.Highest; pps += s.Highest * s.Within / 8 {
		if t, _ := m.trial(pps); t.Loss <= s.Allowed {
			best = max(best, t.Sent)
		}
	}
	return best
}

func TestSearchTwin(t *testing.T) {
	for capacity := 1e5; capacity < 8e6; capacity *= 1.37 {
		for _, allowed := range []float64{0, 0.005, 0.2} {
			m := modelReceiver{capacity, 4e6}
			s := Search{Highest: 5e6, Allowed: allowed, Within: 0.02}
			r, err := s.Run(m.trial)
			if err != nil {
				t.Fatal(err)
			}
			want := slowSearch(m, &s)
			if math.Abs(r.PPS-want) > 0.03*want+s.Highest*s.Within/8 {
				t.Errorf("capacity %v, loss %v: %v, slow search %v", capacity, allowed, r.PPS, want)
			}
		}
	}
}

// A rate that loses once and not again passes where it may be tried again, and only there.
func TestSearchTries(t *testing.T) {
	for tries, want := range map[int]float64{1: 0, 2: 1e6} {
		n := 0
		s := Search{Highest: 1e6, Within: 0.9, Tries: tries}
		r, err := s.Run(func(pps float64) (Trial, error) {
			n++
			loss := 0.0
			if n%2 == 1 {
				loss = 0.1
			}
			return Trial{Offered: pps, Sent: pps, Loss: loss}, nil
		})
		if err != nil || r.PPS < want || want == 0 && r.Bound {
			t.Errorf("%d tries: %+v, %v", tries, r, err)
		}
	}
}

func TestSearchFailure(t *testing.T) {
	none := modelReceiver{0, 1e9}
	r, err := (&Search{Highest: 1e6, Within: 0.1}).Run(none.trial)
	if err != nil || r.PPS != 0 || r.Bound || len(r.Trials) > 12 {
		t.Errorf("everything is lost: %+v, %v", r, err)
	}
	r, err = (&Search{Lowest: 2e5, Highest: 1e6, Within: 0.1}).Run(none.trial)
	if err != nil || r.PPS != 2e5 {
		t.Errorf("nothing passes but what is known to: %+v, %v", r, err)
	}
	broken := errors.New("broken")
	_, err = (&Search{Highest: 1e6, Within: 0.1}).Run(func(float64) (Trial, error) {
		return Trial{}, broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("a trial's error: %v", err)
	}
	for _, s := range []Search{
		{}, {Highest: 1, Lowest: 2, Within: 0.1}, {Highest: 1, Within: 0}, {Highest: 1, Within: 1},
		{Highest: 1, Within: 0.1, Allowed: 1}, {Highest: 1, Within: 0.1, Allowed: -1},
		{Highest: math.NaN(), Within: 0.1},
	} {
		if _, err := s.Run(none.trial); err == nil {
			t.Errorf("%+v is no search", s)
		}
	}
}
