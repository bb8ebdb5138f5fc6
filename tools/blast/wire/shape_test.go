package wire

import (
	"testing"
	"time"
)

// shapes are all kinds.
func shapes() []Shape {
	const ms = time.Millisecond
	return []Shape{
		{PPS: 1}, {PPS: 1000}, {PPS: 14.88e6}, {PPS: 0.3},
		{PPS: 1000, Ramp: 3 * time.Second},
		{PPS: 5000, On: 200 * ms, Off: 300 * ms},
		{PPS: 777, On: 70 * ms, Off: 1 * ms},
		{PPS: 9999, Ramp: time.Second, On: 100 * ms, Off: 900 * ms},
	}
}

// rateAt is the slow twin: the rate at a moment.
func (s *Shape) rateAt(t time.Duration) float64 {
	on := t
	if s.Off > 0 {
		on = 0
		for ; t >= s.On+s.Off; t -= s.On + s.Off {
			on += s.On
		}
		if t >= s.On {
			return 0
		}
		on += t
	}
	if on < s.Ramp {
		return s.PPS * float64(on) / float64(s.Ramp)
	}
	return s.PPS
}

// What is due is the rate's integral.
func TestShapeAgainstTwin(t *testing.T) {
	const step = 100 * time.Microsecond
	for _, s := range shapes() {
		sum := 0.0
		for at := time.Duration(0); at < 5*time.Second; at += step {
			if got := float64(s.due(at)); got < sum-1.5-s.PPS*step.Seconds() ||
				got > sum+1.5+s.PPS*step.Seconds() {
				t.Fatalf("%+v: %v due at %v, want %v", s, got, at, sum)
			}
			sum += (s.rateAt(at) + s.rateAt(at+step-1)) / 2 * step.Seconds()
		}
	}
}

// Frame i is due at At(i): not before, and right after it.
func TestShapeAt(t *testing.T) {
	for _, s := range shapes() {
		last := time.Duration(-1)
		for i := range uint64(100_000) {
			at := s.At(i)
			if at < last {
				t.Fatalf("%+v: frame %d at %v, an earlier one at %v", s, i, at, last)
			}
			last = at
			slack := time.Microsecond
			if s.Ramp > 0 {
				slack = 100 * time.Microsecond // hardly anything is due at first
			}
			if before := s.due(at - slack); at > slack && before > i {
				t.Fatalf("%+v: frame %d at %v, %d due before it", s, i, at, before)
			}
			if after := s.due(at + slack); after < i+1 && s.PPS > 1 {
				t.Fatalf("%+v: frame %d at %v, %d due after it", s, i, at, after)
			}
		}
	}
}

func TestShapeActive(t *testing.T) {
	s := Shape{On: 2 * time.Second, Off: 3 * time.Second}
	f := func(at, on, silence time.Duration) {
		t.Helper()
		if gotOn, gotSilence := s.active(at); gotOn != on || gotSilence != silence {
			t.Errorf("at %v: %v, silent for %v", at, gotOn, gotSilence)
		}
	}
	f(0, 0, 0)
	f(1999*time.Millisecond, 1999*time.Millisecond, 0)
	f(2*time.Second, 2*time.Second, 3*time.Second)
	f(4*time.Second, 2*time.Second, time.Second)
	f(5*time.Second, 2*time.Second, 0)
	f(6*time.Second, 3*time.Second, 0)
}

func TestShapeCheck(t *testing.T) {
	for _, s := range append(shapes(), Shape{}, Shape{On: time.Second, Off: time.Second}) {
		if err := s.check(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	nan := 0.0
	for _, s := range []Shape{
		{PPS: -1}, {PPS: 2e9}, {PPS: nan / nan}, {Ramp: time.Second}, {PPS: 1, Ramp: -1},
		{PPS: 1, On: -1}, {PPS: 1, Off: time.Second},
	} {
		if s.check() == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
