package pcap

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

func timeOf(p Packet) time.Time { return time.Unix(0, p.Time) }

// FuzzReader holds for any bytes: memory is bounded by what the format allows and not by what a
// length claims, packets are whole and within their bounds, every end but a clean one names the
// file and an offset within it, and reading again gives the same.
func FuzzReader(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.data)
		f.Add(zip(f, s.data))
	}
	f.Add(newFile(false).header(magicMicros, 1).u32(0, 0, ^uint32(0), ^uint32(0)).b)
	f.Add(newFile(true).section().u32(6, 0xfffffffc).b)
	f.Add(newFile(false).section().iface(1, 0, resolution(0xc0)).enhanced(0, 1, 1).b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		packets, wire, err := scan(t, data)
		runtime.ReadMemStats(&after)
		// A buffer grows in doubling steps to the longest record at most, interfaces are
		// bounded by the file, and gunzip needs its tables.
		bound := uint64(4*maxBlock + 8*len(data) + 256<<10)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > bound {
			t.Errorf("allocated %d bytes for a file of %d", grown, len(data))
		}
		checkEnd(t, err)
		againPackets, againWire, againErr := scan(t, data)
		if packets != againPackets || wire != againWire || err.Error() != againErr.Error() {
			t.Errorf("read %d packets and %v, then %d and %v",
				packets, err, againPackets, againErr)
		}
	})
}

// scan reads a file and checks every packet.
func scan(t *testing.T, data []byte) (packets int, wire uint64, err error) {
	r, err := NewReader("x.pcap", bytes.NewReader(data))
	if err != nil {
		if err == io.EOF {
			t.Error("NewReader gave io.EOF")
		}
		return 0, 0, err
	}
	var p Packet
	for {
		at := r.s.off
		if err := r.Next(&p); err != nil {
			return packets, wire, err
		}
		if len(p.Data) > MaxFrame || uint32(len(p.Data)) > p.Wire || p.Time < 0 ||
			int64(len(p.Data)) > r.s.off-at {
			t.Errorf("packet %+v of the record from %d to %d", p, at, r.s.off)
		}
		packets++
		wire += uint64(p.Wire)
	}
}

func checkEnd(t *testing.T, err error) {
	t.Helper()
	if err == io.EOF {
		return
	}
	text := err.Error()
	if !strings.HasPrefix(text, "x.pcap: offset ") || strings.ContainsRune(text, '\n') {
		t.Errorf("error %q", text)
	}
}

// FuzzReaderAgreesWithPcapgo holds that of a file which both read to an end, the packets that
// pcapgo gives are the first of ours. It may give fewer: options of a section header that overrun
// it, which we pass over, lead pcapgo astray to what it takes for a clean end.
func FuzzReaderAgreesWithPcapgo(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.data)
	}
	f.Add(newFile(false).section().iface(1, 0, nil).obsolete(0, 1, 0, 10, 11).b)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parse(data)
		if err != io.EOF {
			return // damage that pcapgo need not see, or dies of
		}
		want, ok := tryPcapgo(data)
		if !ok {
			return
		}
		if len(got) < len(want) {
			t.Fatalf("read %d packets, pcapgo %d", len(got), len(want))
		}
		for i, p := range asPcapgo(got)[:len(want)] {
			// Times are left out: pcapgo overflows on fractions of 4295 s and more, takes
			// if_tsresol 0 for 6, and gives simple packets none.
			if p.Link != want[i].Link || p.Wire != want[i].Wire ||
				!bytes.Equal(p.Data, want[i].Data) {
				t.Errorf("packet %d is %+v, pcapgo's %+v", i, p, want[i])
			}
		}
	})
}

// tryPcapgo reads a file that we read to a clean end; false when pcapgo refuses it.
func tryPcapgo(data []byte) (packets []Packet, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	packets, err := parsePcapgo(data)
	return packets, err == nil
}
