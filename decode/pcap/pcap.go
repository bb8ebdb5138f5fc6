// Package pcap reads and writes capture files: pcap (microseconds, nanoseconds, both byte
// orders, the modified format with an interface index) and pcapng, plain or in gzip. It is called
// by replay, by the tools that look into captures and by those who keep evidence; never on the
// packet path.
//
// Capture files come from attackers too. The parsers are our own, a few lines per format, since
// pcapgo (github.com/google/gopacket v1.1.19) does not hold against hostile or broken files: it
// ends a torn pcapng block and a record torn behind its header with a plain io.EOF, allocates
// what a snap length or a captured length claims, divides by zero on if_tsresol 0xc0, refuses
// records whose wire length is below the captured one, which exist in the wild, and keeps link
// types in 8 bits, where Linux cooked v2 is 276. It is the second opinion in the tests, for
// reading and for writing.
package pcap

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxFrame is the greatest number of captured bytes of a packet, that of libpcap. A file that
// claims more is damaged.
const MaxFrame = 256 << 10

// Packet is one captured packet. Its owner hands it to Next again and again.
type Packet struct {
	Time int64  // nanoseconds since 1970 UTC, not negative; see Reader.Next for blocks without
	Link uint16 // link type, as decode.Link numbers them
	Wire uint32 // bytes on the wire as the file has it, but never less than len(Data)
	Data []byte // captured bytes, at most MaxFrame; valid until the next Next
}

// Reader reads the packets of one capture file in file order.
//
// Concurrency: for one goroutine.
type Reader struct {
	s      *stream
	format format
	closer io.Closer // nil when there is nothing to close
	err    error     // what ended the file; given again by every later Next
}

// format is one file format behind its file header.
type format interface {
	// next fills p with the next packet; io.EOF only at the border between two records.
	next(p *Packet) error
	// nanos reports whether the last packet's time is finer than a microsecond.
	nanos() bool
}

// Open opens the capture file at path; "-" is standard input. An unreadable file, an empty one
// or one of no known format is an error.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return NewReader("stdin", os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the operation and the file
	}
	r, err := NewReader(path, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.closer = f
	return r, nil
}

// NewReader reads a capture file from r; name stands for it in errors. Errors read
// "NAME: offset N: reason", where N counts bytes of the data after gunzip.
func NewReader(name string, r io.Reader) (*Reader, error) {
	s := &stream{name: name, r: r}
	buffered := bufio.NewReader(r)
	s.r = buffered
	if magic, _ := buffered.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		unzip, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%s: offset 0: read gzip header: %w", name, err)
		}
		s.r, s.gzip = unzip, true
	}
	f, err := newFormat(s)
	if err != nil {
		return nil, err
	}
	return &Reader{s: s, format: f}, nil
}

// newFormat reads as much as it takes to know the format.
func newFormat(s *stream) (format, error) {
	end, err := s.atEnd()
	if err != nil {
		return nil, err
	}
	if end {
		return nil, s.fail(0, "empty file")
	}
	magic, err := s.need(4, "file magic")
	if err != nil {
		return nil, err
	}
	if [4]byte(magic) == sectionMagic {
		return newNG(s)
	}
	return newClassic(s)
}

// Next fills p with the next packet. io.EOF says that the file ended at the border of a record;
// any other error names the file, the offset of the damaged record and the reason, and is final.
//
// p is of no meaning after an error. A pcapng simple packet block has no time: it gets that of
// the packet before it in the file, or 0.
func (r *Reader) Next(p *Packet) error {
	if r.err != nil {
		return r.err
	}
	if err := r.format.next(p); err != nil {
		r.err = err
		return err
	}
	return nil
}

// Nanos reports whether times in the file are finer than a microsecond; pcapng has this per
// interface, and the answer is for the packet that Next gave last.
func (r *Reader) Nanos() bool { return r.format.nanos() }

// Name returns the name used in errors.
func (r *Reader) Name() string { return r.s.name }

// Close closes the file that Open opened.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}
