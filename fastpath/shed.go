package fastpath

// Levels of receive-ring fill, percent, and for how many bursts one lasts before it is believed.
const (
	shedAbove = 75
	calmBelow = 40
	lasts     = 64
	shedMost  = 64 // 1:64
)

// shedder decides which part of the frames is looked at when the worker falls behind. Overload is
// a state: frames are left out at random, not lost at the ring's end, and counts are scaled.
//
// A ring that is full once is no overload: another thread had the core for a moment, or the frames
// came at once. A worker that keeps up has emptied it some bursts later. Only when the ring stays
// as full for 64 bursts, which is twice what lies above that level in an AF_XDP ring of the usual
// size, are frames left out, half of them at first.
type shedder struct {
	mask uint64 // a frame is looked at iff random & mask is 0; 0: all are
	busy int    // bursts in a row above shedAbove
	calm int    // and below calmBelow, while frames are left out
}

// observe adapts to the ring's fill at the start of a burst, percent.
func (s *shedder) observe(fill uint8) {
	switch {
	case fill > shedAbove:
		s.calm = 0
		if s.busy++; s.busy >= lasts {
			s.busy, s.mask = 0, min(s.mask*2+1, shedMost-1)
		}
	case s.busy|int(s.mask) == 0:
	case fill < calmBelow:
		s.busy = 0
		if s.calm++; s.calm >= lasts {
			s.calm, s.mask = 0, s.mask/2
		}
	default:
		s.busy, s.calm = 0, 0
	}
}
