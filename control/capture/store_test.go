package capture

import (
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// host is the address of host n, alike in most bits.
func host(n int) (hi, lo uint64) { return uint64(n % 3), 0xffff_c0a80000 + uint64(n) }

func sample(src, dst int, at int64) *Sample {
	s := &Sample{Time: at, Gap: 1, Sampling: 1, Wire: 60, Cap: 60, Link: 1, Proto: 17}
	s.SrcHi, s.SrcLo = host(src)
	s.DstHi, s.DstLo = host(dst)
	return s
}

// slowStore is the oracle: every sample ever, looked through from end to end.
type slowStore struct {
	size int
	all  []Sample
}

func (s *slowStore) query(hi, lo uint64, sides Sides, from, to int64) []Sample {
	var out []Sample
	for _, x := range s.all[max(0, len(s.all)-s.size):] {
		src := x.SrcHi == hi && x.SrcLo == lo && sides != Incoming
		dst := x.DstHi == hi && x.DstLo == lo && sides != Outgoing
		if (src || dst) && from <= x.Time && x.Time < to {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Worker, b.Worker))
	})
	return out
}

func TestStoreAgainstSlowTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for _, size := range []int{1, 2, 7, 64, 1000} {
		s, slow := NewStore(size), &slowStore{size: size}
		for step := range 5000 {
			x := sample(random.IntN(9), random.IntN(9), int64(step/4)+random.Int64N(3))
			x.Worker = uint16(random.IntN(3))
			x.IPLen = uint32(step)
			s.Add(x)
			slow.all = append(slow.all, *x)
			if step%37 != 0 {
				continue
			}
			hi, lo := host(random.IntN(10))
			sides := Sides(random.IntN(3))
			from := random.Int64N(int64(step)/4 + 2)
			to := from + random.Int64N(600)
			got := s.Select(nil, hi, lo, sides, from, to)
			want := slow.query(hi, lo, sides, from, to)
			if !(len(got) == 0 && len(want) == 0) && !reflect.DeepEqual(got, want) {
				t.Fatalf("size %d, step %d, sides %d: got %d samples, want %d",
					size, step, sides, len(got), len(want))
			}
		}
	}
}

func TestStoreSelectAppends(t *testing.T) {
	s := NewStore(8)
	s.Add(sample(1, 2, 5))
	hi, lo := host(2)
	got := s.Select([]Sample{{Time: 99}}, hi, lo, Both, 0, 10)
	if len(got) != 2 || got[0].Time != 99 || got[1].Time != 5 {
		t.Errorf("got %v", got)
	}
	if got := s.Select(nil, hi, lo, Both, 0, 5); len(got) != 0 {
		t.Errorf("up to its time: got %d samples", len(got))
	}
	if got := s.Select(nil, hi, lo, Outgoing, 0, 10); len(got) != 0 {
		t.Errorf("the other side: got %d samples", len(got))
	}
}

func TestStoreStats(t *testing.T) {
	s := NewStore(4)
	if got := s.Stats(); got != (Stats{}) {
		t.Errorf("empty: got %+v", got)
	}
	second := int64(time.Second)
	for i := range 4 {
		s.Add(sample(1, 2, int64(i)*6*second)) // 0, 6, 12, 18 s
	}
	s.Add(sample(1, 2, 20*second)) // over that of 0 s
	s.Add(sample(1, 2, 15*second)) // over that of 6 s: 9 s
	want := Stats{
		Added: 6, Overwritten: 2, Early: 1, Held: 4, Oldest: 12 * second, Newest: 20 * second,
	}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewStoreWithoutRoom(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a store of 0 samples was made")
		}
	}()
	NewStore(0)
}

// Addresses of any pattern are spread over the chains.
func TestStoreChainsSpread(t *testing.T) {
	f := func(what string, address func(i uint64) (hi, lo uint64)) {
		t.Helper()
		s, counts, longest := NewStore(1<<12), map[uint64]int{}, 0
		for i := range uint64(1 << 12) {
			b := s.bucket(address(i))
			counts[b]++
			longest = max(longest, counts[b])
		}
		if longest > 16 {
			t.Errorf("%s: %d of 4096 addresses in one chain", what, longest)
		}
	}
	f("IPv4", func(i uint64) (uint64, uint64) { return 0, 0xffff_00000000 | i })
	f("IPv4, spread", func(i uint64) (uint64, uint64) { return 0, 0xffff_00000000 | i<<20 })
	f("interface identifiers", func(i uint64) (uint64, uint64) { return 1 << 61, i << 52 })
	f("networks", func(i uint64) (uint64, uint64) { return i << 52, 1 })
	f("both", func(i uint64) (uint64, uint64) { return i, i })
}

func TestNoAllocs(t *testing.T) {
	s := NewStore(512)
	x := sample(1, 2, 0)
	f := func(what string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(2000, run); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	f("Add", func() {
		x.Time++
		x.SrcLo = uint64(x.Time) * 0x9e3779b97f4a7c15
		s.Add(x)
	})
	f("Add of a malformed sample", func() {
		x.Time, x.Cap, x.Proto = -x.Time, 0xff, 0xff
		s.Add(x)
	})
	dst := make([]Sample, 0, 512)
	hi, lo := host(2)
	f("Select", func() { dst = s.Select(dst[:0], hi, lo, Both, -1<<62, 1<<62) })
	if len(dst) != 512 {
		t.Errorf("selected %d samples", len(dst))
	}
}

func BenchmarkStoreAdd(b *testing.B) {
	s := NewStore(DefaultSamples)
	x := sample(1, 2, 0)
	b.ReportAllocs()
	for b.Loop() {
		x.Time++
		x.SrcLo = uint64(x.Time) * 0x9e3779b97f4a7c15
		s.Add(x)
	}
}

func BenchmarkStoreSelect(b *testing.B) {
	s := NewStore(DefaultSamples)
	for i := range DefaultSamples {
		s.Add(sample(i%1000+10, i%2, int64(i)))
	}
	dst := make([]Sample, 0, DefaultSamples)
	hi, lo := host(1)
	b.ReportAllocs()
	for b.Loop() {
		dst = s.Select(dst[:0], hi, lo, Both, 0, 1<<62)
	}
	b.ReportMetric(float64(len(dst)), "samples")
}
