package replay

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/decode/pcap"
	"weir/ring"
)

// frame is a delivered frame with bytes of its own.
type frame struct {
	time       int64
	wire, file uint32
	link       uint16
	data       string
}

// capture writes packets as a pcapng file with one interface per link type.
func capture(t testing.TB, packets []frame) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := pcap.NewWriter(&out, pcap.Section{}, pcap.Interface{Link: 1},
		pcap.Interface{Link: 276})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		id := 0
		if p.link == 276 {
			id = 1
		}
		err := w.Write(id, &pcap.Packet{Time: p.time, Wire: p.wire, Data: []byte(p.data)}, "")
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// source replays captures that lie in memory.
func source(t testing.TB, files ...[]byte) *Source {
	t.Helper()
	var readers []*pcap.Reader
	for i, data := range files {
		r, err := pcap.NewReader(fmt.Sprintf("%d.pcap", i), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	return New(readers, Options{})
}

// at returns one-byte frames of those times, named by their place.
func at(times ...int64) []frame {
	all := make([]frame, len(times))
	for i, t := range times {
		all[i] = frame{time: t, wire: 60, link: 1, data: string(rune('a' + i))}
	}
	return all
}

// poll takes one batch.
func poll(t testing.TB, s *Source, b *ring.Batch) ([]frame, error) {
	t.Helper()
	n, err := s.Poll(b)
	if n != b.N || n > ring.BurstSize || err != nil && n != 0 {
		t.Fatalf("Poll gave %d and %v, Batch.N is %d", n, err, b.N)
	}
	var all []frame
	for i := range n {
		f := &b.Frames[i]
		all = append(all, frame{time: f.Time, wire: f.Wire, link: f.Link, data: string(b.Data(i))})
	}
	s.Release(b)
	return all, err
}

// mustPoll takes a batch of want frames.
func mustPoll(t testing.TB, s *Source, b *ring.Batch, want int) {
	t.Helper()
	if n, err := s.Poll(b); n != want || err != nil {
		t.Fatalf("Poll gives %d and %v, want %d", n, err, want)
	}
}

// text shows frames as data@time.
func text(frames []frame) string {
	var out strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&out, "%s@%d ", f.data, f.time)
	}
	return strings.TrimSpace(out.String())
}

func TestEdges(t *testing.T) {
	s := source(t, capture(t, at(10, 20, 30, 30, 55)))
	var b ring.Batch
	f := func(edge int64, want string, now int64) {
		t.Helper()
		s.SetEdge(edge)
		for {
			got, err := poll(t, s, &b)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			if text(got) != want || b.Now != got[len(got)-1].time {
				t.Errorf("up to %d: %q at %d, want %q", edge, text(got), b.Now, want)
			}
			want = ""
		}
		if want != "" || b.Now != now {
			t.Errorf("up to %d: %q is missing, Now is %d, want %d", edge, want, b.Now, now)
		}
	}
	f(10, "", 10) // a frame at the edge is held back
	f(11, "a@10", 11)
	f(15, "", 15)
	f(30, "b@20", 30)
	f(31, "c@30 d@30", 31)
	if next, ok := s.NextTime(); next != 55 || !ok {
		t.Errorf("NextTime is %d, %v", next, ok)
	}
	f(55, "", 55)
	s.SetEdge(1000)
	s.SetEdge(56) // not reached, so it may come nearer
	if got, err := poll(t, s, &b); text(got) != "e@55" || err != nil {
		t.Errorf("%q and %v", text(got), err)
	}
	if _, ok := s.NextTime(); ok {
		t.Error("NextTime gives a frame after the last")
	}
	for range 2 {
		if _, err := poll(t, s, &b); err != io.EOF || b.Now != 55 {
			t.Errorf("at the end: %v, Now is %d", err, b.Now)
		}
	}
	if st := s.Stats(); st.Received != 5 || st.Bytes != 300 || len(st.Dropped) != 0 {
		t.Errorf("Stats %+v", st)
	}
}

func TestEdgeFailure(t *testing.T) {
	f := func(name string, edge int64, prepare func(*Source)) {
		t.Helper()
		s := source(t, capture(t, at(10, 20, 30)))
		prepare(s)
		defer func() {
			if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "BUG: replay.SetEdge") {
				t.Errorf("%s: %s", name, text)
			}
		}()
		s.SetEdge(edge)
	}
	var b ring.Batch
	f("before a delivered frame", 10, func(s *Source) {
		s.SetEdge(11)
		mustPoll(t, s, &b, 1)
	})
	f("before a reached edge", 14, func(s *Source) {
		s.SetEdge(15)
		mustPoll(t, s, &b, 1)
		mustPoll(t, s, &b, 0)
	})
	f("before 1970", -1, func(*Source) {})
}

func TestMergeIsStable(t *testing.T) {
	a := capture(t, []frame{{10, 60, 0, 1, "a1"}, {20, 60, 0, 1, "a2"}, {20, 61, 0, 276, "a3"}})
	b := capture(t, []frame{{10, 60, 0, 1, "b1"}, {20, 60, 0, 1, "b2"}})
	c := capture(t, nil)
	f := func(want string, files ...[]byte) {
		t.Helper()
		var batch ring.Batch
		got, err := poll(t, source(t, files...), &batch)
		if text(got) != want || err != nil {
			t.Errorf("%q and %v, want %q", text(got), err, want)
		}
	}
	f("a1@10 b1@10 a2@20 a3@20 b2@20", a, b, c)
	f("b1@10 a1@10 b2@20 a2@20 a3@20", c, b, a)
}

func TestTimesThatGoBack(t *testing.T) {
	s := source(t, capture(t, at(50, 20, 60, 59, 60)), capture(t, at(40, 55)))
	var b ring.Batch
	got, err := poll(t, s, &b)
	if want := "a@40 a@50 b@50 b@55 c@60 d@60 e@60"; text(got) != want || err != nil {
		t.Errorf("%q and %v, want %q", text(got), err, want)
	}
	if s.Clamped() != 2 {
		t.Errorf("%d clamped, want 2", s.Clamped())
	}
}

func TestDamageComesInItsPlace(t *testing.T) {
	whole := capture(t, at(10, 20, 30, 40))
	s := source(t, capture(t, at(5, 15, 25, 35)), whole[:len(whole)-40-20])
	var b ring.Batch
	got, err := poll(t, s, &b)
	if want := "a@5 a@10 b@15 b@20"; text(got) != want || err != nil {
		t.Errorf("%q and %v, want %q", text(got), err, want)
	}
	if next, ok := s.NextTime(); ok {
		t.Errorf("NextTime is %d where the next frame cannot be read", next)
	}
	for range 2 {
		got, err = poll(t, s, &b)
		if err == nil || !strings.HasPrefix(err.Error(), "1.pcap: offset 164: file ends inside") {
			t.Errorf("%q and %v", text(got), err)
		}
	}
}

func TestOpenFailure(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	if err := os.WriteFile(good, capture(t, at(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open([]string{good, bad}, Options{}); err == nil ||
		err.Error() != bad+": offset 0: empty file" {
		t.Errorf("Open: %v", err)
	}
	s, err := Open([]string{good, good}, Options{Sampling: 100})
	if err != nil {
		t.Fatal(err)
	}
	var b ring.Batch
	if got, err := poll(t, s, &b); text(got) != "a@1 a@1" || err != nil {
		t.Errorf("%q and %v", text(got), err)
	}
	if s.Sampling() != 100 || source(t).Sampling() != 1 {
		t.Error("Sampling is not what was asked for, or 1")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestNothingToReplay(t *testing.T) {
	for _, s := range []*Source{source(t), source(t, capture(t, nil), capture(t, nil))} {
		var b ring.Batch
		s.SetEdge(100)
		if _, err := poll(t, s, &b); err != io.EOF {
			t.Errorf("Poll: %v", err)
		}
	}
}

// Frames that do not fit the buffer together come in several batches.
func TestLongFrames(t *testing.T) {
	var packets []frame
	for i := range 11 {
		data := strings.Repeat(string(rune('a'+i)), pcap.MaxFrame-i)
		packets = append(packets, frame{int64(i), pcap.MaxFrame, 0, 1, data})
	}
	s := source(t, capture(t, packets))
	var b ring.Batch
	var got []frame
	for {
		some, err := poll(t, s, &b)
		if err == io.EOF {
			break
		}
		if err != nil || len(some) == 0 {
			t.Fatalf("%d frames and %v", len(some), err)
		}
		if len(b.Mem) > memSize {
			t.Fatalf("buffer of %d bytes", len(b.Mem))
		}
		got = append(got, some...)
	}
	if !slices.Equal(got, packets) {
		t.Error("other frames than in the capture")
	}
}

// The twin merges by sorting everything at once; the source must give the same whatever the
// edges, and never a frame beyond one.
func TestAgainstTwin(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var files [][]byte
		var want []frame
		clamped := uint64(0)
		for file := range rng.IntN(6) {
			packets := randomCapture(rng, uint32(file))
			files = append(files, capture(t, packets))
			latest := int64(0)
			for _, p := range packets {
				if p.time < latest {
					p.time = latest
					clamped++
				}
				latest = p.time
				want = append(want, p)
			}
		}
		slices.SortStableFunc(want, func(a, b frame) int { return cmp.Compare(a.time, b.time) })
		for i := range want {
			want[i].file = 0
		}
		s := source(t, files...)
		if got := drain(t, rng, s, want); !slices.Equal(got, want) || s.Clamped() != clamped {
			t.Errorf("seed %d: %d frames, %d clamped, want %d and %d, or in another order",
				seed, len(got), s.Clamped(), len(want), clamped)
		}
	}
}

func randomCapture(rng *rand.Rand, file uint32) []frame {
	packets := make([]frame, rng.IntN(400))
	time := int64(rng.IntN(1000))
	for i := range packets {
		time = max(0, time+rng.Int64N(20)-2) // mostly forward, often not at all
		data := fmt.Sprintf("%d/%d", file, i)
		packets[i] = frame{time, uint32(len(data) + rng.IntN(9)), file, 1, data}
		if rng.IntN(4) == 0 {
			packets[i].link = 276
		}
	}
	return packets
}

// drain polls to the end, with random edges, and checks what holds for every batch.
func drain(t *testing.T, rng *rand.Rand, s *Source, want []frame) (got []frame) {
	t.Helper()
	var b ring.Batch
	edge, now := int64(0), int64(0)
	for {
		next, ok := s.NextTime()
		if ok != (len(got) < len(want)) || ok && next != want[len(got)].time {
			t.Fatalf("NextTime is %d, %v after %d frames", next, ok, len(got))
		}
		some, err := poll(t, s, &b)
		if err == io.EOF {
			return got
		}
		if err != nil || b.Now < now || b.Now > edge && edge > 0 {
			t.Fatalf("%v; Now %d after %d, edge %d", err, b.Now, now, edge)
		}
		now = b.Now
		for _, f := range some {
			if f.time >= edge && edge > 0 {
				t.Fatalf("frame at %d beyond the edge %d", f.time, edge)
			}
		}
		got = append(got, some...)
		if len(some) == 0 {
			if b.Now != edge || ok && next < edge {
				t.Fatalf("edge %d reached at %d, next frame at %d", edge, b.Now, next)
			}
			edge += 1 + rng.Int64N(200)
			if rng.IntN(3) == 0 && ok {
				edge = max(edge, next)
			}
			s.SetEdge(edge)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	const runs = 2000
	packets := make([]frame, 3*(runs+20))
	for i := range packets {
		packets[i] = frame{int64(i * 10), 60, 0, 1, "0123456789"}
	}
	one := capture(t, packets)
	s := source(t, one, one)
	var b ring.Batch
	edge := int64(0)
	step := func() {
		edge += 30
		s.SetEdge(edge)
		for {
			n, err := s.Poll(&b)
			if err != nil {
				t.Fatal(err)
			}
			s.Release(&b)
			if n == 0 {
				return
			}
		}
	}
	for range 10 {
		step()
	}
	if n := testing.AllocsPerRun(runs, step); n != 0 {
		t.Errorf("%v allocations per edge", n)
	}
}

func BenchmarkPoll(b *testing.B) {
	packets := make([]frame, 100000)
	for i := range packets {
		packets[i] = frame{int64(i), 60, 0, 1, strings.Repeat("x", 60)}
	}
	data := capture(b, packets)
	var batch ring.Batch
	b.ReportAllocs()
	frames := 0
	s := source(b, data, data)
	for b.Loop() {
		n, err := s.Poll(&batch)
		if err == io.EOF {
			b.StopTimer()
			s = source(b, data, data)
			b.StartTimer()
		}
		frames += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/packet")
}
