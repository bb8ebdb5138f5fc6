package capture

import (
	"reflect"
	"slices"
	"testing"
)

// fill offers samples at the times from up to to, and returns the evidence.
func fill(e *Evidence, from, to int64) *Evidence {
	for at := from; at < to; at++ {
		e.Add(sample(1, 2, at))
	}
	return e
}

func checkSnapshot(t *testing.T, s *Snapshot, verdict int64) {
	t.Helper()
	if !slices.IsSortedFunc(s.Samples, func(a, b Sample) int { return compare(&a, &b) }) {
		t.Error("the samples are not in order")
	}
	for i := range s.Samples {
		if (i < s.Before) != (s.Samples[i].Time < verdict) {
			t.Fatalf("sample %d of time %d, %d before the verdict at %d",
				i, s.Samples[i].Time, s.Before, verdict)
		}
	}
}

func TestEvidenceSuccess(t *testing.T) {
	f := func(limits Limits, before, after int64, wantBefore, wantAfter int) {
		t.Helper()
		budget := NewBudget(1 << 20)
		e := fill(NewEvidence(1000, 1, limits, budget), 1000-before, 1000+after)
		s := e.Snapshot()
		checkSnapshot(t, s, 1000)
		if s.Before != wantBefore || len(s.Samples)-s.Before != wantAfter {
			t.Errorf("kept %d and %d, want %d and %d",
				s.Before, len(s.Samples)-s.Before, wantBefore, wantAfter)
		}
		if s.SeenBefore != uint64(before) || s.SeenAfter != uint64(after) {
			t.Errorf("seen %d and %d, want %d and %d", s.SeenBefore, s.SeenAfter, before, after)
		}
		if used := budget.Used(); used < 256*len(s.Samples) {
			t.Errorf("%d bytes for %d samples", used, len(s.Samples))
		}
		e.Close()
		if budget.Used() != 0 || len(e.Snapshot().Samples) != 0 {
			t.Error("memory is still held after Close")
		}
		if fill(e, 0, 2000); len(e.Snapshot().Samples) != 0 || budget.Used() != 0 {
			t.Error("samples are taken after Close")
		}
	}
	f(Limits{100, 200}, 50, 120, 50, 120)
	f(Limits{100, 200}, 500, 900, 100, 200)
	f(Limits{64, 65}, 64, 66, 64, 65)
	f(Limits{0, 10}, 20, 20, 0, 10)
	f(Limits{}, 5, 5, 0, 0)
	f(DefaultLimits(), 0, 0, 0, 0)
}

// A budget that is used up bounds the evidence and is counted.
func TestEvidenceFailure(t *testing.T) {
	budget := NewBudget(3*chunkBytes + chunkBytes/2)
	first := fill(NewEvidence(100, 1, Limits{1000, 1000}, budget), 100, 2000)
	second := fill(NewEvidence(100, 2, Limits{1000, 1000}, budget), 0, 200)
	if budget.Used() > 3*chunkBytes {
		t.Errorf("%d bytes used of %d", budget.Used(), 3*chunkBytes+chunkBytes/2)
	}
	s := first.Snapshot()
	if len(s.Samples) != 3*chunkSize || s.SeenAfter != 1900 {
		t.Errorf("kept %d of %d", len(s.Samples), s.SeenAfter)
	}
	if last := s.Samples[len(s.Samples)-1].Time; last < 1500 {
		t.Errorf("the latest of 1900 samples is that of %d: the choice stopped early", last)
	}
	if got := second.Snapshot(); len(got.Samples) != 0 || got.SeenBefore != 100 {
		t.Errorf("kept %d without memory", len(got.Samples))
	}
	if budget.Refused() != 3 {
		t.Errorf("refused %d times, want 3", budget.Refused())
	}
	first.Close()
	third := fill(NewEvidence(100, 3, Limits{1000, 1000}, budget), 100, 110)
	if got := len(third.Snapshot().Samples); got != 10 {
		t.Errorf("kept %d after memory was given back", got)
	}
}

func TestEvidenceIsDeterministic(t *testing.T) {
	run := func(seed uint64) *Snapshot {
		return fill(NewEvidence(500, seed, Limits{50, 50}, NewBudget(1<<20)), 0, 1000).Snapshot()
	}
	if !reflect.DeepEqual(run(1), run(1)) {
		t.Error("the same samples and seed gave two choices")
	}
	if reflect.DeepEqual(run(1), run(2)) {
		t.Error("the seed makes no difference")
	}
}

// Every sample is kept equally often, whatever its place in the stream.
func TestReservoirIsUniform(t *testing.T) {
	const runs, n, keep = 400, 400, 40
	var tenths [10]int
	for seed := range uint64(runs) {
		e := fill(NewEvidence(0, seed, Limits{0, keep}, NewBudget(1<<20)), 0, n)
		for _, s := range e.Snapshot().Samples {
			tenths[s.Time*10/n]++
		}
	}
	want := float64(runs*keep) / 10
	var chi2 float64
	for _, got := range tenths {
		chi2 += (float64(got) - want) * (float64(got) - want) / want
	}
	if chi2 > 27.9 { // 9 degrees of freedom: once in a thousand; the seeds are fixed
		t.Errorf("chi² is %.1f: %v", chi2, tenths)
	}
}

func TestSnapshotIsACopy(t *testing.T) {
	e := fill(NewEvidence(0, 1, Limits{0, 10}, NewBudget(1<<20)), 0, 10)
	s := e.Snapshot()
	fill(e, 100, 1000)
	if s.Samples[9].Time != 9 || s.SeenAfter != 10 {
		t.Error("a later sample changed the snapshot")
	}
}

func TestSnapshotThin(t *testing.T) {
	e := fill(NewEvidence(30, 1, Limits{100, 100}, NewBudget(1<<20)), 0, 100)
	s := e.Snapshot()
	for n := range 120 {
		thin := s.Thin(n)
		if len(thin.Samples) != min(n, 100) {
			t.Fatalf("%d samples, want %d", len(thin.Samples), n)
		}
		checkSnapshot(t, thin, 30)
		if thin.SeenBefore != 30 || thin.SeenAfter != 70 {
			t.Fatal("what was seen changed")
		}
	}
	if len(s.Samples) != 100 || s.Before != 30 {
		t.Error("Thin changed what it was given")
	}
	if half := s.Thin(50); half.Before != 15 || half.Samples[49].Time != 98 {
		t.Errorf("not even: %d before, last of %d", half.Before, half.Samples[49].Time)
	}
}

func TestRatio(t *testing.T) {
	f := func(gap, sampling uint32, want uint64) {
		t.Helper()
		if got := Ratio(&Sample{Gap: gap, Sampling: sampling}); got != want {
			t.Errorf("1/%d of 1:%d stands for %d, want %d", gap, sampling, got, want)
		}
	}
	f(1, 1, 1)
	f(16, 1000, 16000)
	f(0, 0, 1)
	f(1<<32-1, 1<<32-1, (1<<32-1)*(1<<32-1))
}

func TestAddresses(t *testing.T) {
	s := &Sample{SrcLo: 0xffff_c0000201, DstHi: 0x20010db8 << 32, DstLo: 7}
	if src, dst := Src(s).String(), Dst(s).String(); src != "192.0.2.1" || dst != "2001:db8::7" {
		t.Errorf("got %s and %s", src, dst)
	}
}
