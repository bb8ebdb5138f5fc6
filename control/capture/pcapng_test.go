package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"weir/decode/pcap"
	"weir/ring"
)

func TestWritePCAPNGSuccess(t *testing.T) {
	samples := []Sample{*sample(1, 2, 1e18+1), *sample(2, 1, 1e18+2), *sample(1, 2, 1e18+3)}
	for i := range samples {
		for j := range samples[i].Data {
			samples[i].Data[j] = byte(i + j)
		}
	}
	samples[1].Link, samples[1].Wire, samples[1].Cap = 113, 1500, ring.SnapLen
	samples[1].Stream, samples[1].Gap, samples[1].Sampling = ring.Warm, 16, 1000
	samples[1].Outgoing = true
	samples[2].Cap = 0
	var out bytes.Buffer
	if err := WritePCAPNG(&out, samples, "incident 0123456789abcdef"); err != nil {
		t.Fatal(err)
	}
	file := slices.Clone(out.Bytes())
	got := readBack(t, file)
	if len(got) != len(samples) {
		t.Fatalf("%d packets, want %d", len(got), len(samples))
	}
	for i, p := range got {
		s := &samples[i]
		if p.Time != s.Time || p.Link != s.Link || p.Wire != s.Wire ||
			!bytes.Equal(p.Data, s.Data[:s.Cap]) {
			t.Errorf("packet %d: got %d bytes of %d, link %d, time %d",
				i, len(p.Data), p.Wire, p.Link, p.Time)
		}
	}
	comments := blockComments(file)
	want := []string{
		"incident 0123456789abcdef",
		"stream=baseline probability=1/1 sampling=1:1 direction=incoming",
		"stream=warm probability=1/16 sampling=1:1000 direction=outgoing",
		"stream=baseline probability=1/1 sampling=1:1 direction=incoming",
	}
	if !slices.Equal(comments, want) {
		t.Errorf("comments %q", comments)
	}
}

func TestWritePCAPNGWithoutSamples(t *testing.T) {
	var out bytes.Buffer
	if err := WritePCAPNG(&out, nil, ""); err != nil {
		t.Fatal(err)
	}
	if got := readBack(t, out.Bytes()); len(got) != 0 {
		t.Errorf("%d packets", len(got))
	}
}

// A sample whose lengths contradict each other still makes a file that can be read.
func TestWritePCAPNGHostileLengths(t *testing.T) {
	s := sample(1, 2, 1)
	s.Cap, s.Wire, s.Gap, s.Sampling = 0xff, 3, 0, 0
	var out bytes.Buffer
	if err := WritePCAPNG(&out, []Sample{*s}, "x"); err != nil {
		t.Fatal(err)
	}
	got := readBack(t, out.Bytes())
	if len(got) != 1 || len(got[0].Data) != ring.SnapLen || got[0].Wire != ring.SnapLen {
		t.Errorf("got %d packets", len(got))
	}
}

func TestWritePCAPNGFailure(t *testing.T) {
	f := func(w io.Writer, samples []Sample, comment, want string) {
		t.Helper()
		err := WritePCAPNG(w, samples, comment)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something of %q", err, want)
		}
	}
	f(io.Discard, nil, strings.Repeat("x", 70000), "section header")
	f(io.Discard, []Sample{*sample(1, 2, -1)}, "", "packet 1 of 1")
	for _, room := range []int{0, 10, 5000} {
		samples := slices.Repeat([]Sample{*sample(1, 2, 1)}, 100)
		f(&fullDisk{room}, samples, "", errNoSpace.Error())
	}
}

var errNoSpace = errors.New("no space")

// fullDisk takes so many bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return 0, errNoSpace
	}
	d.room -= len(b)
	return len(b), nil
}

func readBack(t *testing.T, file []byte) []pcap.Packet {
	t.Helper()
	r, err := pcap.NewReader("evidence", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var out []pcap.Packet
	for {
		var p pcap.Packet
		if err := r.Next(&p); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		p.Data = slices.Clone(p.Data)
		out = append(out, p)
	}
}

// blockComments returns the comments of the section header and of the packets of a file in
// little endian, by a walk of its own (draft-ietf-opsawg-pcapng section 3.1).
func blockComments(file []byte) []string {
	u32 := binary.LittleEndian.Uint32
	u16 := binary.LittleEndian.Uint16
	var comments []string
	for len(file) > 0 {
		kind, length := u32(file), u32(file[4:])
		body := file[8 : length-4]
		file = file[length:]
		switch kind {
		case 0x0a0d0d0a:
			body = body[16:]
		case 6:
			body = body[20+(u32(body[12:])+3)&^3:]
		default:
			continue
		}
		for len(body) >= 4 && u16(body) != 0 {
			size := int(u16(body[2:]))
			if u16(body) == 1 {
				comments = append(comments, string(body[4:4+size]))
			}
			body = body[4+(size+3)&^3:]
		}
	}
	return comments
}
