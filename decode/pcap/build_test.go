package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"testing"
)

// file builds capture files byte by byte, in either byte order.
type file struct {
	order binary.AppendByteOrder
	b     []byte
}

func (f *file) u16(v ...uint16) *file {
	for _, v := range v {
		f.b = f.order.AppendUint16(f.b, v)
	}
	return f
}

func (f *file) u32(v ...uint32) *file {
	for _, v := range v {
		f.b = f.order.AppendUint32(f.b, v)
	}
	return f
}

func (f *file) raw(b ...byte) *file { f.b = append(f.b, b...); return f }

func (f *file) pad() *file {
	for len(f.b)%4 != 0 {
		f.b = append(f.b, 0)
	}
	return f
}

// header appends a pcap file header.
func (f *file) header(magic, link uint32) *file {
	return f.u32(magic).u16(2, 4).u32(0, 0, 65535, link)
}

// record appends a packet as it stands in a pcap file.
func (f *file) record(sec, fraction, wire uint32, data ...byte) *file {
	return f.u32(sec, fraction, uint32(len(data)), wire).raw(data...)
}

// block appends a pcapng block around what body appends.
func (f *file) block(kind uint32, body func(*file)) *file {
	inner := &file{order: f.order}
	body(inner)
	length := uint32(len(inner.pad().b) + 12)
	return f.u32(kind, length).raw(inner.b...).u32(length)
}

func (f *file) section() *file {
	return f.block(blockSection, func(b *file) {
		b.u32(0x1a2b3c4d).u16(1, 0).u32(^uint32(0), ^uint32(0))
	})
}

// iface appends an interface description; options are given as they stand in the file.
func (f *file) iface(link uint16, snap uint32, options func(*file)) *file {
	return f.block(blockInterface, func(b *file) {
		b.u16(link, 0).u32(snap)
		if options != nil {
			options(b)
			b.u16(optEnd, 0)
		}
	})
}

// resolution is an if_tsresol option.
func resolution(v byte) func(*file) {
	return func(b *file) { b.u16(optTimeRes, 1).raw(v, 0, 0, 0) }
}

// enhanced appends an enhanced packet block with a comment, so that something follows the data.
func (f *file) enhanced(id uint32, units uint64, wire uint32, data ...byte) *file {
	return f.block(blockEnhanced, func(b *file) {
		b.u32(id, uint32(units>>32), uint32(units), uint32(len(data)), wire).raw(data...).pad()
		b.u16(optComment, 2).raw('h', 'i', 0, 0).u16(optEnd, 0)
	})
}

func (f *file) simple(wire uint32, data ...byte) *file {
	return f.block(blockSimple, func(b *file) { b.u32(wire).raw(data...) })
}

func (f *file) obsolete(id uint16, units uint64, wire uint32, data ...byte) *file {
	return f.block(blockObsolete, func(b *file) {
		b.u16(id, 0xffff).u32(uint32(units>>32), uint32(units), uint32(len(data)), wire)
		b.raw(data...)
	})
}

// unknown appends a block of a type that no standard has.
func (f *file) unknown(size int) *file {
	return f.block(0x0bad, func(b *file) { b.raw(make([]byte, size)...) })
}

func newFile(big bool) *file {
	if big {
		return &file{order: binary.BigEndian}
	}
	return &file{order: binary.LittleEndian}
}

// sample is a small file of a format, and the offsets at which it may end.
type sample struct {
	name    string
	data    []byte
	packets int
	borders map[int]int // offset of a record's border → packets before it
}

// samples has one file of every format in both byte orders.
func samples() []sample {
	var all []sample
	for _, big := range []bool{false, true} {
		suffix := map[bool]string{false: "/little", true: "/big"}[big]
		all = append(all,
			classicSample("micros"+suffix, newFile(big).header(magicMicros, 1), nil),
			classicSample("nanos"+suffix, newFile(big).header(magicNanos, 101), nil),
			classicSample("modified"+suffix, newFile(big).header(magicModified, 113),
				make([]byte, 8)),
			ngSample("pcapng"+suffix, newFile(big)))
	}
	return all
}

func classicSample(name string, f *file, extra []byte) sample {
	s := sample{name: name, borders: map[int]int{len(f.b): 0}}
	for i := range 3 {
		data := bytes.Repeat([]byte{byte(i + 1)}, 5*i+1)
		f.u32(1700000000, uint32(i), uint32(len(data)), 100).raw(extra...).raw(data...)
		s.packets++
		s.borders[len(f.b)] = s.packets
	}
	s.data = f.b
	return s
}

func ngSample(name string, f *file) sample {
	s := sample{name: name, borders: map[int]int{}}
	mark := func(packets int) {
		s.packets += packets
		s.borders[len(f.b)] = s.packets
	}
	f.section()
	mark(0)
	f.iface(1, 4, nil)
	mark(0)
	f.iface(101, 0, resolution(9))
	mark(0)
	f.enhanced(1, 1700000000_000000001, 60, 1, 2, 3, 4, 5)
	mark(1)
	f.unknown(9)
	mark(0)
	f.simple(60, 6, 7, 8, 9)
	mark(1)
	f.obsolete(0, 1700000001_000000, 64, 10, 11)
	mark(1)
	f.section()
	mark(0)
	f.iface(276, 0, nil)
	mark(0)
	f.enhanced(0, 1700000002_000000, 64)
	mark(1)
	s.data = f.b
	return s
}

func zip(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
