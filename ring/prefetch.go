package ring

// Ahead is the number of a burst's first frames that are on their way when Poll returns, where the
// source knows how to ask for them. The others are for the caller to Prefetch, between its work:
// a core waits for so few lines at a time that one which asks for a whole burst stands still.
const Ahead = 16

// Prefetch asks for the line in which each of the frames from number from up to to begins, which
// holds nearly every header: what a network card or another core wrote is in no near cache. It
// leaves out those beyond N.
//
// They are asked for into the second-level cache. Frames lie a power of two apart, so that the
// headers of a burst share few sets of the first, and would push one another out of it.
func (b *Batch) Prefetch(from, to int) {
	if to = min(to, b.N, BurstSize); from >= 0 && from < to && len(b.Mem) > 0 {
		prefetchFrames(&b.Mem[0], &b.Frames[from], to-from)
	}
}
