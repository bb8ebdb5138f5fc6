package fastpath

// Levels of receive-ring fill, percent, and the bursts below calm that end shedding.
const (
	shedAbove = 75
	calmBelow = 40
	calmAfter = 64
	shedMost  = 64 // 1:64
)

// shedder decides which part of the frames is looked at when the worker falls behind. Overload is
// a state: frames are left out at random, not lost at the ring's end, and counts are scaled.
type shedder struct {
	mask uint64 // a frame is looked at iff random & mask is 0; 0: all are
	calm int
}

// observe adapts to the ring's fill at the start of a burst, percent.
func (s *shedder) observe(fill uint8) {
	switch {
	case fill > shedAbove:
		s.calm = 0
		s.mask = min(s.mask*2+1, shedMost-1)
	case s.mask == 0:
	case fill < calmBelow:
		if s.calm++; s.calm >= calmAfter {
			s.calm, s.mask = 0, s.mask/2
		}
	default:
		s.calm = 0
	}
}
