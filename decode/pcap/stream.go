package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// firstBuffer is the size of a stream's buffer until a record needs more.
const firstBuffer = 64 << 10

// stream is a window on the file's bytes: records are parsed where they were read to, and memory
// grows only with lengths that the caller has checked against a bound.
type stream struct {
	name string
	r    io.Reader
	gzip bool
	buf  []byte // buf[pos:end] is read and not yet consumed
	pos  int
	end  int
	off  int64 // of buf[pos], in the data after gunzip
	err  error // of r; io.EOF at its end
}

// fail returns the error of something wrong at offset off.
func (s *stream) fail(off int64, format string, args ...any) error {
	where := ""
	if s.gzip {
		where = " of the uncompressed data"
	}
	return fmt.Errorf("%s: offset %d%s: %w", s.name, off, where, fmt.Errorf(format, args...))
}

// atEnd reports whether every byte is consumed. Damage in the compression is an error even when
// all data before it was whole.
func (s *stream) atEnd() (bool, error) {
	if s.pos == s.end && s.err == nil {
		s.fill(1)
	}
	if s.pos < s.end {
		return false, nil
	}
	if s.err == io.EOF {
		return true, nil
	}
	return false, s.broken()
}

// need returns the next n bytes without consuming them, valid until the next call; what names
// them when the file ends before.
func (s *stream) need(n int, what string) ([]byte, error) {
	for s.end-s.pos < n {
		if s.err != nil {
			return nil, s.torn(s.off, what, int64(s.end-s.pos), int64(n))
		}
		s.fill(n)
	}
	return s.buf[s.pos : s.pos+n : s.pos+n], nil
}

// advance consumes n bytes that need returned.
func (s *stream) advance(n int) {
	s.pos += n
	s.off += int64(n)
}

// skip consumes the bytes up to offset end of a record that began at start, without keeping them.
func (s *stream) skip(start, end int64, what string) error {
	for s.off < end {
		if s.pos == s.end {
			if s.err != nil {
				return s.torn(start, what, s.off-start, end-start)
			}
			s.fill(1)
		}
		s.advance(int(min(end-s.off, int64(s.end-s.pos))))
	}
	return nil
}

// torn is the error of a file that ends inside a record which began at start.
func (s *stream) torn(start int64, what string, have, want int64) error {
	if s.err != io.EOF {
		return s.broken()
	}
	return s.fail(start, "file ends inside %s: %d of %d bytes", what, have, want)
}

// broken is the error of bytes that could not be read.
func (s *stream) broken() error {
	at := s.off + int64(s.end-s.pos)
	if s.gzip && errors.Is(s.err, io.ErrUnexpectedEOF) {
		return s.fail(at, "compressed data ends early: %w", s.err)
	}
	return s.fail(at, "read: %w", s.err)
}

// fill reads once from r, with room for n unconsumed bytes, or sets err.
func (s *stream) fill(n int) {
	if s.pos+n > len(s.buf) {
		dst := s.buf
		if n > len(dst) {
			dst = make([]byte, max(firstBuffer, 1<<bits.Len(uint(n-1))))
		}
		s.end = copy(dst, s.buf[s.pos:s.end])
		s.buf, s.pos = dst, 0
	}
	for range 100 {
		got, err := s.r.Read(s.buf[s.end:])
		s.end += got
		s.err = err
		if got > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// order is a file's byte order: whether it is swapped against little endian.
type order bool

const (
	little order = false
	big    order = true
)

func (o order) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if o == big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (o order) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if o == big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (o order) u64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if o == big {
		v = bits.ReverseBytes64(v)
	}
	return v
}
