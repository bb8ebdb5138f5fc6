package rate

// arena holds values that are found by number and never move. Those that were put back are taken
// again first.
type arena[T any] struct {
	chunks [][]T
	unused []int32
	n      int32 // numbers taken so far
}

const (
	chunkBits = 12
	chunkMask = 1<<chunkBits - 1
)

// at returns value i, as it was left.
func (a *arena[T]) at(i int32) *T { return &a.chunks[i>>chunkBits][i&chunkMask] }

// take returns the number of an unused value, which is as it was put back; false where most are
// taken.
func (a *arena[T]) take(most int) (int32, bool) {
	if last := len(a.unused) - 1; last >= 0 {
		i := a.unused[last]
		a.unused = a.unused[:last]
		return i, true
	}
	if int(a.n) >= most {
		return 0, false
	}
	if int(a.n)>>chunkBits == len(a.chunks) {
		a.chunks = append(a.chunks, make([]T, 1<<chunkBits))
	}
	a.n++
	return a.n - 1, true
}

func (a *arena[T]) put(i int32) { a.unused = append(a.unused, i) }
