package wire

import (
	"fmt"
	"math"
	"time"
)

// Shape is a rate over time: steady, rising, in pulses, or rising from pulse to pulse.
type Shape struct {
	PPS  float64       // frames per second; 0: as fast as they go
	Ramp time.Duration // how long the rate rises to PPS, from nothing
	// On and Off are how long each pulse lasts, and the silence after it; On 0 is without
	// silence. Ramp does not count silence.
	On, Off time.Duration
}

// maxPPS is far above what any interface sends.
const maxPPS = 1e9

func (s *Shape) check() error {
	switch {
	case !(s.PPS >= 0 && s.PPS <= maxPPS):
		return fmt.Errorf("%v frames per second are not from 0 to %.0g", s.PPS, float64(maxPPS))
	case s.Ramp < 0 || s.Ramp > 0 && s.PPS == 0:
		return fmt.Errorf("a rate that rises for %v needs one to rise to", s.Ramp)
	case s.On < 0 || s.Off < 0 || s.On == 0 && s.Off > 0:
		return fmt.Errorf("pulses of %v with %v between them", s.On, s.Off)
	}
	return nil
}

// active returns how much of the time up to t was not silence, and how long the silence lasts
// that t is in.
func (s *Shape) active(t time.Duration) (on, silence time.Duration) {
	if s.On == 0 || s.Off == 0 {
		return t, 0
	}
	period := s.On + s.Off
	n, in := t/period, t%period
	if in < s.On {
		return n*s.On + in, 0
	}
	return (n + 1) * s.On, period - in
}

// due returns how many frames are to be sent before t, when there is a rate: frame 0 at 0.
func (s *Shape) due(t time.Duration) uint64 {
	on, _ := s.active(t)
	x := on.Seconds()
	if ramp := s.Ramp.Seconds(); x < ramp {
		x = x * x / (2 * ramp)
	} else {
		x -= ramp / 2
	}
	return uint64(math.Ceil(s.PPS*x - rounding))
}

// rounding is the part of a frame that is put down to the arithmetic.
const rounding = 1e-6

// At returns when frame i, from 0, is due, when there is a rate.
func (s *Shape) At(i uint64) time.Duration {
	x := float64(i) / s.PPS
	if ramp := s.Ramp.Seconds(); x < ramp/2 {
		x = math.Sqrt(2 * ramp * x)
	} else {
		x += ramp / 2
	}
	t := time.Duration(math.Round(x * float64(time.Second))) // a pulse's first frame is no last one
	if s.On == 0 || s.Off == 0 {
		return t
	}
	return t/s.On*(s.On+s.Off) + t%s.On
}
