package bench

import "fmt"

// Trial is what happened at one rate.
type Trial struct {
	Offered float64 `json:"offered_pps"`
	Sent    float64 `json:"sent_pps"` // less than offered where the generator cannot do it
	Loss    float64 `json:"loss"`     // part of what was sent
	Gap     float64 `json:"longest_gap_ms"`
	Steal   float64 `json:"steal_s"`

	run    *RxRun // what else is known of it
	allocs uint64
}

// behind is the part of an offered rate that a generator may stay under: less than that, and it is
// the generator that was measured.
const behind = 0.98

// nothing is the part of the highest rate that counts as none: where even that fails, the search
// ends.
const nothing = 1e-3

// Rate is the highest rate that a search found.
type Rate struct {
	PPS     float64 `json:"pps"` // sent in the trial that passed; if none did, Search.Lowest
	Loss    float64 `json:"loss"`
	Allowed float64 `json:"loss_allowed"`
	// Bound says that the generator reached no rate at which more was lost.
	Bound  bool    `json:"generator_bound"`
	Trials []Trial `json:"trials"`

	best Trial // the one that PPS and Loss are of
}

// Search is a binary search for the highest rate with at most a part of loss, as RFC 2544 section
// 26.1 wants it, between Lowest (exclusive: taken to pass) and Highest.
type Search struct {
	Lowest  float64 // packets per second
	Highest float64
	Allowed float64 // loss, 0 to 1
	Within  float64 // ends when passing and failing rates are that part of the failing one apart
	Tries   int     // at a rate, of which one must pass: a stolen CPU is not the receiver's loss
}

func (s *Search) check() error {
	switch {
	case !(s.Highest > s.Lowest) || s.Lowest < 0:
		return fmt.Errorf("search from %v to %v packets per second", s.Lowest, s.Highest)
	case !(s.Allowed >= 0) || s.Allowed >= 1:
		return fmt.Errorf("search for a loss of %v: it is from 0 to below 1", s.Allowed)
	case !(s.Within > 0) || s.Within >= 1:
		return fmt.Errorf("search within %v of a rate: it is between 0 and 1", s.Within)
	}
	return nil
}

// Run calls trial with one rate after another. A failing rate counts as what the generator sent.
func (s *Search) Run(trial func(pps float64) (Trial, error)) (r Rate, err error) {
	if err := s.check(); err != nil {
		return r, err
	}
	r.Allowed, r.PPS = s.Allowed, s.Lowest
	pass, fail := s.Lowest, s.Highest
	at := fail
	for {
		passed, last, err := s.try(at, &r, trial)
		if err != nil {
			return r, err
		}
		if passed {
			if last.Sent > r.PPS {
				r.PPS, r.Loss, r.best = last.Sent, last.Loss, last
			}
			if last.Sent < behind*at || at == s.Highest {
				r.Bound = true
				return r, nil
			}
			pass = at
		} else {
			fail = min(at, max(last.Sent, pass))
		}
		if fail-pass <= s.Within*fail || fail <= s.Highest*nothing {
			return r, nil
		}
		at = (pass + fail) / 2
	}
}

// try tries a rate until it passes, so often at most, and returns the last trial.
func (s *Search) try(
	at float64, r *Rate, trial func(float64) (Trial, error),
) (passed bool, last Trial, err error) {
	for range max(1, s.Tries) {
		last, err = trial(at)
		if err != nil {
			return false, last, err
		}
		r.Trials = append(r.Trials, last)
		if last.Loss <= s.Allowed {
			return true, last, nil
		}
	}
	return false, last, nil
}
