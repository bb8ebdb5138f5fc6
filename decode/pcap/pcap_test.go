package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll returns the packets of a file, with data of their own, and what ended it.
func readAll(r *Reader) ([]Packet, error) {
	var all []Packet
	var p Packet
	for {
		if err := r.Next(&p); err != nil {
			if again := r.Next(&p); again != err {
				return all, fmt.Errorf("Next gave %v after %w", again, err)
			}
			return all, err
		}
		own := p
		own.Data = bytes.Clone(p.Data)
		all = append(all, own)
	}
}

func parse(data []byte) ([]Packet, error) {
	r, err := NewReader("x.pcap", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return readAll(r)
}

func samePackets(a, b []Packet) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Time != b[i].Time || a[i].Link != b[i].Link || a[i].Wire != b[i].Wire ||
			!bytes.Equal(a[i].Data, b[i].Data) {
			return false
		}
	}
	return true
}

func TestReadSuccess(t *testing.T) {
	f := func(name string, data []byte, want ...Packet) {
		t.Helper()
		for _, d := range [][]byte{data, zip(t, data)} {
			got, err := parse(d)
			if err != io.EOF {
				t.Errorf("%s: %v", name, err)
			}
			if !samePackets(got, want) {
				t.Errorf("%s: read %+v, want %+v", name, got, want)
			}
		}
	}
	for _, big := range []bool{false, true} {
		f("micros", newFile(big).header(magicMicros, 1).record(7, 8, 99, 1, 2, 3).b,
			Packet{7_000008000, 1, 99, []byte{1, 2, 3}})
		f("nanos", newFile(big).header(magicNanos, 101).record(7, 8, 99, 1, 2, 3).b,
			Packet{7_000000008, 101, 99, []byte{1, 2, 3}})
		f("link with FCS bits", newFile(big).header(magicMicros, 0x30000001).record(1, 0, 1, 5).b,
			Packet{1e9, 1, 1, []byte{5}})
		f("no packets", newFile(big).header(magicMicros, 1).b)
		f("seconds past 2038", newFile(big).header(magicMicros, 1).record(1<<32-1, 0, 0).b,
			Packet{(1<<32 - 1) * 1e9, 1, 0, nil})
		f("fraction over a second", newFile(big).header(magicMicros, 1).record(1, 1500000, 0).b,
			Packet{2_500000000, 1, 0, nil})
		f("wire below captured", newFile(big).header(magicMicros, 1).record(1, 0, 1, 2, 3).b,
			Packet{1e9, 1, 2, []byte{2, 3}})

		ng := func() *file { return newFile(big).section() }
		f("pcapng without packets", ng().b)
		f("pcapng micros", ng().iface(1, 0, nil).enhanced(0, 7_000008, 99, 1, 2, 3).b,
			Packet{7_000008000, 1, 99, []byte{1, 2, 3}})
		f("pcapng binary resolution",
			ng().iface(1, 0, resolution(0x80|10)).enhanced(0, 3<<10|512, 99, 1).b,
			Packet{3_500000000, 1, 99, []byte{1}})
		f("pcapng picoseconds",
			ng().iface(1, 0, resolution(12)).enhanced(0, 3_500000000_999, 99, 1).b,
			Packet{3_500000000, 1, 99, []byte{1}})
		f("pcapng whole seconds", ng().iface(1, 0, resolution(0)).enhanced(0, 3, 99, 1).b,
			Packet{3e9, 1, 99, []byte{1}})
		f("pcapng finest resolution",
			ng().iface(1, 0, resolution(0x80|63)).enhanced(0, 1<<63|1<<62, 99, 1).b,
			Packet{1_500000000, 1, 99, []byte{1}})
		f("pcapng time shift", ng().iface(1, 0, shift(1000, big)).enhanced(0, 5, 99, 1).b,
			Packet{1000_000005000, 1, 99, []byte{1}})
		f("pcapng simple packet cut by snap length",
			ng().iface(1, 3, nil).simple(60, 1, 2, 3).b, Packet{0, 1, 60, []byte{1, 2, 3}})
		f("pcapng simple packet after an enhanced one",
			ng().iface(1, 0, nil).enhanced(0, 5, 2, 1).simple(2, 1, 2).b,
			Packet{5000, 1, 2, []byte{1}}, Packet{5000, 1, 2, []byte{1, 2}})
		f("pcapng link types differ",
			ng().iface(1, 0, nil).iface(276, 0, nil).enhanced(1, 0, 2).enhanced(0, 0, 2).b,
			Packet{0, 276, 2, nil}, Packet{0, 1, 2, nil})
		f("pcapng second section in the other byte order",
			append(ng().iface(1, 0, nil).enhanced(0, 0, 2, 9).b,
				newFile(!big).section().iface(101, 0, nil).obsolete(0, 1, 2, 8).b...),
			Packet{0, 1, 2, []byte{9}}, Packet{1000, 101, 2, []byte{8}})
		f("pcapng long unknown block",
			ng().unknown(3*maxBlock).iface(1, 0, nil).enhanced(0, 1, 2, 1).b,
			Packet{1000, 1, 2, []byte{1}})
		long := make([]byte, MaxFrame)
		f("pcapng longest packet", ng().iface(1, 0, nil).enhanced(0, 1, MaxFrame, long...).b,
			Packet{1000, 1, MaxFrame, long})
		f("longest packet",
			newFile(big).header(magicMicros, 1).record(0, 1, MaxFrame, long...).record(0, 2, 0).b,
			Packet{1000, 1, MaxFrame, long}, Packet{2000, 1, 0, nil})
	}
}

// shift is an if_tsoffset option.
func shift(seconds int64, big bool) func(*file) {
	return func(b *file) {
		hi, lo := uint32(uint64(seconds)>>32), uint32(seconds)
		if !big {
			hi, lo = lo, hi
		}
		b.u16(optTimeShift, 8).u32(hi, lo)
	}
}

func TestReadFailure(t *testing.T) {
	f := func(data []byte, want string) {
		t.Helper()
		_, err := parse(data)
		if err == nil || err == io.EOF || err.Error() != "x.pcap: "+want {
			t.Errorf("error %q, want %q", err, "x.pcap: "+want)
		}
		_, err = parse(zip(t, data))
		want = strings.Replace(want, ": ", " of the uncompressed data: ", 1)
		if err == nil || err == io.EOF || err.Error() != "x.pcap: "+want {
			t.Errorf("in gzip: error %q, want %q", err, "x.pcap: "+want)
		}
	}
	f(nil, "offset 0: empty file")
	f([]byte("abc"), "offset 0: file ends inside file magic: 3 of 4 bytes")
	f([]byte("hello world, not a capture"),
		"offset 0: magic 0x68656c6c is neither pcap nor pcapng")
	classic := func() *file { return newFile(false).header(magicMicros, 1) }
	f(newFile(true).u32(magicMicros).u16(2, 3).b[:8],
		"offset 0: file ends inside the file header: 8 of 24 bytes")
	f(newFile(true).u32(magicMicros).u16(2, 3).u32(0, 0, 0, 0).b,
		"offset 4: pcap version 2.3 is not 2.4")
	f(classic().record(0, 0, 1, 1).record(0, 0, 1, 1).b[:24+17+10],
		"offset 41: file ends inside a packet's header: 10 of 16 bytes")
	f(classic().record(0, 0, 1, 1).record(0, 0, 1, 1, 2).b[:24+17+17],
		"offset 41: file ends inside a packet: 17 of 18 bytes")
	f(classic().u32(0, 0, MaxFrame+1, MaxFrame+1).b,
		"offset 24: packet of 262145 captured bytes is over 262144")
	f(classic().u32(0, 0, ^uint32(0), 1).b,
		"offset 24: packet of 4294967295 captured bytes is over 262144")

	ng := func() *file { return newFile(false).section() }
	f(newFile(false).u32(blockSection, 28, 0x12345678).b,
		"offset 0: byte-order magic 0x78563412 of the section header is unknown")
	f(newFile(false).block(blockSection, func(b *file) {
		b.u32(0x1a2b3c4d).u16(2, 0).u32(0, 0)
	}).b, "offset 0: pcapng version 2.0 is not 1.0")
	f(newFile(false).block(blockSection, func(b *file) { b.u32(0x1a2b3c4d) }).b,
		"offset 0: section header of 12 bytes is too short")
	f(ng().u32(6, 0).b, "offset 28: block of type 0x6 has length 0")
	f(ng().u32(6, 8).b, "offset 28: block of type 0x6 has length 8")
	f(ng().u32(99, 33).b, "offset 28: block of type 0x63 has length 33")
	f(ng().u32(6, 1<<31).b, "offset 28: block of type 0x6 has length 2147483648, over 524288")
	f(ng().u32(99, 0xfffffffc, 1).b,
		"offset 28: file ends inside a block: 12 of 4294967288 bytes")
	f(ng().u32(99, 16, 0, 12).b, "offset 28: block begins with length 16 and ends with 12")
	f(ng().u32(1, 20, 1, 0, 24).b, "offset 28: block begins with length 20 and ends with 24")
	f(ng().block(blockInterface, func(b *file) { b.u32(1) }).b,
		"offset 28: interface description of 12 bytes is too short")
	f(ng().iface(1, 0, resolution(20)).b,
		"offset 28: option 9 of the interface description has value 0x14")
	f(ng().iface(1, 0, resolution(0xc0)).b,
		"offset 28: option 9 of the interface description has value 0xc0")
	f(ng().iface(1, 0, func(b *file) { b.u16(optTimeShift, 4).u32(0) }).b,
		"offset 28: option 14 of the interface description has value 0x00000000")
	f(ng().iface(1, 0, func(b *file) { b.u16(2, 100) }).b,
		"offset 28: option of the interface description overruns it")
	f(ng().enhanced(0, 0, 0).b, "offset 28: packet of interface 0, the section has described 0")
	f(ng().simple(0).b, "offset 28: packet of interface 0, the section has described 0")
	f(ng().iface(1, 0, nil).section().enhanced(0, 0, 0).b,
		"offset 76: packet of interface 0, the section has described 0")
	iface := func() *file { return ng().iface(1, 0, nil) }
	f(iface().enhanced(1<<31, 0, 0).b,
		"offset 48: packet of interface 2147483648, the section has described 1")
	f(iface().block(blockEnhanced, func(b *file) { b.u32(0, 0, 0) }).b,
		"offset 48: packet block of 20 bytes is too short")
	f(iface().block(blockSimple, func(b *file) {}).b,
		"offset 48: packet block of 8 bytes is too short")
	f(iface().block(blockEnhanced, func(b *file) { b.u32(0, 0, 0, 5, 5, 0) }).b,
		"offset 48: packet of 5 captured bytes is longer than its block")
	f(iface().block(blockEnhanced, func(b *file) { b.u32(0, 0, 0, ^uint32(0), 5, 0) }).b,
		"offset 48: packet of 4294967295 captured bytes is over 262144")
	f(iface().simple(5, 1, 2, 3, 4).b,
		"offset 48: packet of 5 captured bytes is longer than its block")
	f(iface().enhanced(0, 1<<63, 0).b,
		"offset 48: timestamp 9223372036854775808 is outside the years 1970 to 2262")
	f(ng().iface(1, 0, shift(-1, false)).enhanced(0, 0, 0).b,
		"offset 64: timestamp 0 is outside the years 1970 to 2262")
}

// Every file that is cut anywhere else than between two records must end in an error, and no
// packet may come out of it that the whole file does not have.
func TestTruncationAtEveryOffset(t *testing.T) {
	for _, s := range samples() {
		whole, err := parse(s.data)
		if err != io.EOF || len(whole) != s.packets {
			t.Fatalf("%s: %d packets and %v, want %d", s.name, len(whole), err, s.packets)
		}
		for cut := range s.data {
			got, err := parse(s.data[:cut])
			packets, border := s.borders[cut]
			switch {
			case border && (err != io.EOF || len(got) != packets):
				t.Errorf("%s cut at border %d: %d packets, %v, want %d and EOF",
					s.name, cut, len(got), err, packets)
			case !border && (err == nil || err == io.EOF):
				t.Errorf("%s cut at %d: %d packets and no error", s.name, cut, len(got))
			case len(got) > len(whole) || !samePackets(got, whole[:len(got)]):
				t.Errorf("%s cut at %d: other packets than the whole file", s.name, cut)
			}
		}
	}
}

// A cut in gzip is always an error, wherever the border of the data in it lies.
func TestTruncationOfGzip(t *testing.T) {
	for _, s := range samples() {
		zipped := zip(t, s.data)
		for cut := range zipped {
			got, err := parse(zipped[:cut])
			if err == nil || err == io.EOF || !strings.Contains(err.Error(), "x.pcap: offset ") {
				t.Errorf("%s cut at %d: %d packets and error %v", s.name, cut, len(got), err)
			}
		}
		damaged := bytes.Clone(zipped)
		damaged[len(damaged)-5] ^= 1 // of the checksum
		if _, err := parse(damaged); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s with a bad checksum: %v", s.name, err)
		}
	}
}

func TestReadsOneByteAtATime(t *testing.T) {
	for _, s := range samples() {
		want, _ := parse(s.data)
		r, err := NewReader("x", iotest.OneByteReader(bytes.NewReader(s.data)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(r); err != io.EOF || !samePackets(got, want) {
			t.Errorf("%s: %v, other packets than read at once", s.name, err)
		}
	}
}

func TestReadErrorIsNamed(t *testing.T) {
	s := samples()[0]
	cause := errors.New("disk on fire")
	broken := io.MultiReader(bytes.NewReader(s.data[:40]), iotest.ErrReader(cause))
	r, err := NewReader("x", broken)
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(r)
	if !errors.Is(err, cause) || err.Error() != "x: offset 40: read: disk on fire" {
		t.Errorf("error %q", err)
	}
}

func TestNanos(t *testing.T) {
	f := func(data []byte, want bool) {
		t.Helper()
		r, err := NewReader("x", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
		if r.Nanos() != want {
			t.Errorf("Nanos is %v", r.Nanos())
		}
	}
	f(newFile(false).header(magicMicros, 1).record(0, 0, 0).b, false)
	f(newFile(false).header(magicNanos, 1).record(0, 0, 0).b, true)
	f(newFile(false).section().iface(1, 0, nil).enhanced(0, 0, 0).b, false)
	f(newFile(false).section().iface(1, 0, resolution(9)).enhanced(0, 0, 0).b, true)
}

func TestOpen(t *testing.T) {
	s := samples()[3]
	path := filepath.Join(t.TempDir(), "a.pcapng.gz")
	if err := os.WriteFile(path, zip(t, s.data), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(r); len(got) != s.packets || err != io.EOF {
		t.Errorf("%d packets and %v", len(got), err)
	}
	if err := r.Close(); err != nil || r.Name() != path {
		t.Errorf("Close: %v, Name %q", err, r.Name())
	}
	for _, bad := range []string{path + ".absent", filepath.Dir(path)} {
		if _, err := Open(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("Open(%q): %v", bad, err)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	for _, s := range samples() {
		data := s.data
		if strings.HasPrefix(s.name, "pcapng") {
			for range 10 { // sections after sections
				data = append(data, data[:len(s.data)]...)
			}
		}
		r, err := NewReader("x", &loop{header: data[:24], data: data})
		if err != nil {
			t.Fatal(err)
		}
		var p Packet
		next := func() {
			if err := r.Next(&p); err != nil {
				t.Fatal(s.name, err)
			}
		}
		for range 100 {
			next()
		}
		if n := testing.AllocsPerRun(10000, next); n != 0 {
			t.Errorf("%s: %v allocations per packet", s.name, n)
		}
	}
}

// loop is a capture without an end: data, and then its records again and again.
type loop struct {
	header, data []byte
	pos          int
}

func (l *loop) Read(b []byte) (int, error) {
	if l.pos == len(l.data) {
		l.pos = len(l.header)
		if [4]byte(l.data) == sectionMagic {
			l.pos = 0
		}
	}
	n := copy(b, l.data[l.pos:])
	l.pos += n
	return n, nil
}
