package live

import "fmt"

// Patch changes a part of each frame that a Kernel sends to Base | x&Mask, big-endian, where x is
// a random number or the number of the frame: 0 for the first that this Kernel sends.
type Patch struct {
	Offset int
	Width  int // bytes: 1, 2 or 4
	Base   uint32
	Mask   uint32
	Random bool
}

// Check returns what is wrong with a patch of a frame of that length.
func (p *Patch) Check(frame int) error {
	if p.Width != 1 && p.Width != 2 && p.Width != 4 {
		return fmt.Errorf("patch of %d bytes, want 1, 2 or 4", p.Width)
	}
	if p.Offset < 0 || p.Offset+p.Width > frame {
		return fmt.Errorf("patch of %d bytes at %d in a frame of %d", p.Width, p.Offset, frame)
	}
	return nil
}
