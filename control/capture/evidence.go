package capture

import "math/rand/v2"

// Limits bound the samples of one incident. A sample takes 256 bytes.
type Limits struct {
	Before int // from before the verdict
	After  int
}

// DefaultLimits are 2.5 MiB an incident.
func DefaultLimits() Limits { return Limits{Before: 2000, After: 8000} }

// chunkSize is the number of samples by which evidence grows: 16 KiB.
const chunkSize = 64

// chunkBytes is the memory of a chunk.
const chunkBytes = chunkSize * 256

// Budget is the memory that all incidents together may take, so that a hundred attacks at once
// cost no more than was set aside.
//
// Concurrency: for one goroutine, which is that of all Evidence drawn from it.
type Budget struct {
	bytes   int
	used    int
	refused uint64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int) *Budget { return &Budget{bytes: bytes} }

// Used returns the bytes taken.
func (b *Budget) Used() int { return b.used }

// Refused returns how often evidence was not given room to grow.
func (b *Budget) Refused() uint64 { return b.refused }

func (b *Budget) take() bool {
	if b.used+chunkBytes > b.bytes {
		b.refused++
		return false
	}
	b.used += chunkBytes
	return true
}

// Evidence is one incident's samples: two uniform random choices, of those from before the
// verdict and of those since, as large as its limits and the budget let them grow. The same
// samples and seed give the same choice.
//
// Concurrency: for one goroutine; a Snapshot is for any.
type Evidence struct {
	verdict       int64
	budget        *Budget
	before, after reservoir
}

// NewEvidence returns the empty evidence of an incident whose verdict fell at that time,
// nanoseconds since 1970 UTC.
func NewEvidence(verdict int64, seed uint64, limits Limits, budget *Budget) *Evidence {
	return &Evidence{
		verdict: verdict,
		budget:  budget,
		before:  reservoir{max: limits.Before, random: rand.New(rand.NewPCG(seed, 1))},
		after:   reservoir{max: limits.After, random: rand.New(rand.NewPCG(seed, 2))},
	}
}

// Add offers one sample; the caller offers each once.
func (e *Evidence) Add(s *Sample) {
	if s.Time < e.verdict {
		e.before.add(s, e.budget)
	} else {
		e.after.add(s, e.budget)
	}
}

// Close gives the memory back to the budget; the evidence is empty afterwards, and stays so.
func (e *Evidence) Close() {
	for _, r := range []*reservoir{&e.before, &e.after} {
		e.budget.used -= len(r.chunks) * chunkBytes
		r.chunks, r.n, r.max = nil, 0, 0
	}
}

// Snapshot is what an incident's evidence was at one moment, to be read by anyone.
type Snapshot struct {
	Samples    []Sample // in the order of their times
	Before     int      // so many of Samples, the first ones, are from before the verdict
	SeenBefore uint64   // samples that these were chosen from
	SeenAfter  uint64
}

// Snapshot returns a copy.
func (e *Evidence) Snapshot() *Snapshot {
	all := make([]*Sample, 0, e.before.n+e.after.n)
	for _, r := range []*reservoir{&e.before, &e.after} {
		for i := range r.n {
			all = append(all, r.at(i))
		}
	}
	return &Snapshot{
		Samples:    sorted(all),
		Before:     e.before.n,
		SeenBefore: e.before.seen,
		SeenAfter:  e.after.seen,
	}
}

// Thin returns a snapshot with at most n of the samples, evenly spaced, the first among them.
func (s *Snapshot) Thin(n int) *Snapshot {
	if n >= len(s.Samples) {
		return s
	}
	thin := *s
	thin.Samples, thin.Before = make([]Sample, 0, n), 0
	for i := range n {
		from := i * len(s.Samples) / n
		thin.Samples = append(thin.Samples, s.Samples[from])
		if from < s.Before {
			thin.Before++
		}
	}
	return &thin
}

// reservoir chooses uniformly at random (Vitter's algorithm R). When the budget refuses it room
// it goes on with the size that it has reached, which keeps the choice uniform.
type reservoir struct {
	max    int
	n      int
	seen   uint64
	chunks [][]Sample
	random *rand.Rand
}

func (r *reservoir) at(i int) *Sample { return &r.chunks[i/chunkSize][i%chunkSize] }

func (r *reservoir) add(s *Sample, b *Budget) {
	r.seen++
	if r.n < r.max && r.grow(b) {
		r.n++
		*r.at(r.n - 1) = *s
		return
	}
	if r.max == 0 {
		return
	}
	if i := r.random.Uint64N(r.seen); i < uint64(r.n) {
		*r.at(int(i)) = *s
	}
}

// grow makes room for one more, or fixes the size.
func (r *reservoir) grow(b *Budget) bool {
	if r.n < len(r.chunks)*chunkSize {
		return true
	}
	if !b.take() {
		r.max = r.n
		return false
	}
	r.chunks = append(r.chunks, make([]Sample, chunkSize))
	return true
}
