package pcap

import (
	"bytes"
	"io"
	"math"
	"testing"
)

// What is written is read again, by us and by pcapgo.
func TestClassicWriter_Success(t *testing.T) {
	packets := []Packet{
		{Time: 0, Link: 1, Wire: 0, Data: []byte{}},
		{Time: 1_767_225_600_123_456_789, Link: 1, Wire: 1514, Data: []byte("frame")},
		{Time: math.MaxUint32*1e9 + 999_999_999, Link: 1, Wire: 2, Data: []byte{7, 8}},
	}
	var file bytes.Buffer
	w, err := NewClassicWriter(&file, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packets {
		if err := w.Write(&packets[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	theirs, err := parsePcapgo(file.Bytes())
	if err != nil || len(theirs) != len(packets) {
		t.Fatalf("pcapgo reads %d packets, %v", len(theirs), err)
	}
	r, err := NewReader("classic", &file)
	if err != nil {
		t.Fatal(err)
	}
	var p Packet
	for i, want := range packets {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
		if p.Time != want.Time || p.Wire != want.Wire || p.Link != want.Link ||
			!bytes.Equal(p.Data, want.Data) || theirs[i].Time != want.Time {
			t.Errorf("packet %d is %+v, to pcapgo %+v, want %+v", i, p, theirs[i], want)
		}
	}
	if err := r.Next(&p); err != io.EOF || !r.Nanos() {
		t.Errorf("after the last: %v; nanoseconds %t", err, r.Nanos())
	}
}

// What the format cannot say is refused, and the file stays as it was.
func TestClassicWriter_Failure(t *testing.T) {
	var file bytes.Buffer
	w, err := NewClassicWriter(&file, 1, 1514)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Packet{
		{Time: -1}, {Time: (math.MaxUint32 + 1) * 1e9}, {Wire: 1, Data: []byte{1, 2}},
		{Wire: MaxFrame + 1, Data: make([]byte, MaxFrame+1)},
	} {
		if err := w.Write(&p); err == nil {
			t.Errorf("%d bytes at %d were written", len(p.Data), p.Time)
		}
	}
	if err := w.Flush(); err != nil || file.Len() != fileHeaderLen {
		t.Errorf("%d bytes, %v", file.Len(), err)
	}
}
