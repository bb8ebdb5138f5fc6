package blast

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"weir/decode/pcap"
	"weir/ring"
	"weir/ring/replay"
)

// A capture holds the scenario's packets, to the byte and the nanosecond.
func TestCapture(t *testing.T) {
	f := func(s Scenario, read func(*Scenario) (*pcap.Reader, error)) {
		t.Helper()
		packets, err := s.Packets()
		if err != nil {
			t.Fatal(err)
		}
		r, err := read(&s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got pcap.Packet
		n := int64(0)
		for ; packets.Next(&want); n++ {
			if err := r.Next(&got); err != nil {
				t.Fatalf("packet %d: %v", n, err)
			}
			if got.Time != want.Time || got.Link != want.Link || got.Wire != want.Wire ||
				!bytes.Equal(got.Data, want.Data) {
				t.Fatalf("packet %d:\n got %+v\nwant %+v", n, got, want)
			}
			if s.SnapLen > 0 && len(got.Data) > s.SnapLen {
				t.Fatalf("packet %d: %d bytes captured", n, len(got.Data))
			}
		}
		if err := r.Next(&got); err != io.EOF || n != s.Count() {
			t.Errorf("%v after %d packets, want %d", err, n, s.Count())
		}
	}
	stream := func(s *Scenario) (*pcap.Reader, error) { return s.Capture("stream") }
	written := func(s *Scenario) (*pcap.Reader, error) {
		var file bytes.Buffer
		if n, err := s.WriteTo(&file); err != nil || n != int64(file.Len()) {
			t.Errorf("WriteTo: %d bytes and %v, %d written", n, err, file.Len())
		}
		return pcap.NewReader("file", &file)
	}
	slow := func(s *Scenario) (*pcap.Reader, error) {
		r, err := s.Reader()
		if err != nil {
			return nil, err
		}
		return pcap.NewReader("slow", iotest.OneByteReader(r))
	}
	short := everything()
	short.SnapLen = 96
	short.Start = time.Unix(1_700_000_000, 5)
	small := Scenario{Flows: []Flow{{Dst: Host("10.0.0.1"), PPS: 20, To: time.Second}}}
	for _, s := range []Scenario{{}, small, everything(), short} {
		f(s, stream)
		f(s, written)
	}
	f(small, slow)
}

func TestReaderProtocol(t *testing.T) {
	s := Scenario{Flows: []Flow{{Dst: Host("10.0.0.1"), PPS: 2000, To: time.Second}}}
	var file bytes.Buffer
	if _, err := s.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, file.Bytes()); err != nil {
		t.Error(err)
	}
}

// A full disk ends WriteTo.
func TestWriteToFailure(t *testing.T) {
	s := Scenario{Flows: []Flow{{Dst: Host("10.0.0.1"), PPS: 20, To: time.Second}}}
	full := errors.New("disk is full")
	n, err := s.WriteTo(writerFunc(func([]byte) (int, error) { return 3, full }))
	if n != 3 || err != full {
		t.Errorf("%d bytes and %v", n, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Replay takes a scenario as it takes a file.
func TestReplay(t *testing.T) {
	s := everything()
	r, err := s.Capture("everything")
	if err != nil {
		t.Fatal(err)
	}
	src := replay.New([]*pcap.Reader{r}, replay.Options{})
	defer src.Close()
	var b ring.Batch
	for {
		if _, err = src.Poll(&b); err != nil {
			break
		}
		src.Release(&b)
	}
	if got := src.Stats().Received; err != io.EOF || got != uint64(s.Count()) {
		t.Errorf("%v after %d packets, want %d", err, got, s.Count())
	}
	if src.Clamped() != 0 {
		t.Errorf("%d packets out of order", src.Clamped())
	}
}

func BenchmarkCapture(b *testing.B) {
	b.ReportAllocs()
	s := Scenario{Flows: []Flow{{
		Vector: "syn_flood", Dst: Host("10.0.0.1"), PPS: 1e9, To: time.Hour,
	}}}
	r, err := s.Capture("benchmark")
	if err != nil {
		b.Fatal(err)
	}
	var p pcap.Packet
	for b.Loop() {
		if err := r.Next(&p); err != nil {
			b.Fatal(err)
		}
	}
}
