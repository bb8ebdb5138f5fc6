package afxdp

import "testing"

// TestProbe runs probes over traffic of two rates: by interrupts, and by busy polling.
func TestProbe(t *testing.T) {
	f := func(interrupts, polling uint64, wantWorse bool) {
		t.Helper()
		const step = int64(probeWindow) / 10
		now, received := int64(1000), uint64(7)
		p := newProbe(now, received)
		for range 3 * 10 { // too little to begin with
			now += step
			received += probeFrames / 20
			if busy, done := p.step(now, received); busy || done {
				t.Fatal("began with too little")
			}
		}
		busy, done, turns := false, false, 0
		for range 1000 {
			now += step
			if busy {
				received += polling / 10
			} else {
				received += interrupts / 10
			}
			was := busy
			if busy, done = p.step(now, received); done {
				break
			}
			if was != busy {
				turns++
			}
		}
		if !done || turns != 2*probeRounds-1 {
			t.Errorf("%d/%d: done %v after %d turns", interrupts, polling, done, turns)
		}
		if a, b := p.medians(); worse(a, b) != wantWorse {
			t.Errorf("%d/%d: medians %d and %d, worse %v", interrupts, polling, a, b, worse(a, b))
		}
	}
	f(1000, 1000, false)
	f(1000, 900, false)
	f(1000, 700, true)
	f(1000, 0, true)
	f(1000, 2000, false)
}
