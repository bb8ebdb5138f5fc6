package ringtest

import (
	"errors"
	"io"
	"testing"

	"weir/ring"
)

func threeFrames() []Frame {
	return []Frame{
		{Time: 10, Link: 1, Wire: 60, Data: []byte("one")},
		{Time: 20, Link: 276, Data: []byte("second")},
		{Time: 20, Link: 1, Wire: 3, Data: nil},
	}
}

func TestSource(t *testing.T) {
	s := NewSource(threeFrames()...)
	s.Fill = 80
	var b ring.Batch
	n, err := s.Poll(&b)
	if n != 3 || err != nil || b.N != 3 || b.Now != 20 || b.Fill != 80 {
		t.Fatalf("Poll gives %d and %v, batch of %d at %d, fill %d", n, err, b.N, b.Now, b.Fill)
	}
	want := [3]ring.Frame{
		{Time: 10, Link: 1, Off: 0, Cap: 3, Wire: 60},
		{Time: 20, Link: 276, Off: 3, Cap: 6, Wire: 6},
		{Time: 20, Link: 1, Off: 9, Cap: 0, Wire: 3},
	}
	if [3]ring.Frame(b.Frames[:3]) != want {
		t.Errorf("frames %+v", b.Frames[:3])
	}
	kept := b.Data(1)
	if string(kept) != "second" {
		t.Errorf("data %q", kept)
	}
	s.Release(&b)
	if string(kept) == "second" {
		t.Error("bytes outlive Release")
	}
	if st := s.Stats(); st.Received != 3 || st.Bytes != 69 {
		t.Errorf("Stats %+v", st)
	}
	for range 2 {
		if n, err := s.Poll(&b); n != 0 || err != io.EOF || b.Now != 20 {
			t.Errorf("at the end: %d, %v, Now %d", n, err, b.Now)
		}
	}
}

func TestSourceBurst(t *testing.T) {
	s := NewSource(threeFrames()...)
	s.Burst = 2
	var b ring.Batch
	for _, want := range []int{2, 1} {
		if n, err := s.Poll(&b); n != want || err != nil {
			t.Errorf("Poll gives %d and %v, want %d", n, err, want)
		}
	}
	many := NewSource(make([]Frame, 100)...)
	for _, want := range []int{64, 36} {
		if n, err := many.Poll(&b); n != want || err != nil {
			t.Errorf("Poll gives %d and %v, want %d", n, err, want)
		}
	}
}

func TestSourceEnd(t *testing.T) {
	var b ring.Batch
	broken := errors.New("cable out")
	s := NewSource()
	s.End = broken
	if _, err := s.Poll(&b); err != broken {
		t.Errorf("Poll: %v", err)
	}
	s.End = nil
	if n, err := s.Poll(&b); n != 0 || err != nil {
		t.Errorf("an idle source gives %d and %v", n, err)
	}
	s.Add(threeFrames()...)
	if n, err := s.Poll(&b); n != 3 || err != nil {
		t.Errorf("after Add: %d and %v", n, err)
	}
}
