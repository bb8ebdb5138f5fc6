package pcap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// ClassicWriter writes a pcap file, in little endian, with times in nanoseconds: for those who do
// not read pcapng. The bytes depend on its arguments alone.
//
// Concurrency: for one goroutine.
type ClassicWriter struct {
	w      *bufio.Writer
	record [recordLen]byte
}

// NewClassicWriter writes the file's header to w: the link type of all packets, and how many bytes
// of one are captured at most, MaxFrame where snapLen is 0.
func NewClassicWriter(w io.Writer, link uint16, snapLen uint32) (*ClassicWriter, error) {
	if snapLen == 0 {
		snapLen = MaxFrame // 0 is no limit to some readers, and nothing at all to others
	}
	var b [fileHeaderLen]byte
	e := binary.LittleEndian
	e.PutUint32(b[:], magicNanos)
	e.PutUint16(b[offVersion:], 2)
	e.PutUint16(b[offVersion+2:], 4)
	e.PutUint32(b[offFileSnap:], snapLen)
	e.PutUint32(b[offFileLink:], uint32(link))
	out := &ClassicWriter{w: bufio.NewWriter(w)}
	if _, err := out.w.Write(b[:]); err != nil {
		return nil, fmt.Errorf("write file header: %w", err)
	}
	return out, nil
}

// Write adds a packet; p.Link is not looked at. It is an error, and nothing is written, if p.Time
// is before 1970 or after 2106, or the data is longer than MaxFrame or p.Wire.
func (w *ClassicWriter) Write(p *Packet) error {
	seconds, nanos := p.Time/int64(time.Second), p.Time%int64(time.Second)
	switch {
	case p.Time < 0 || seconds > math.MaxUint32:
		return fmt.Errorf("write packet: time %d does not fit into a pcap file", p.Time)
	case len(p.Data) > MaxFrame || uint64(len(p.Data)) > uint64(p.Wire):
		return fmt.Errorf("write packet: %d captured bytes of %d on the wire, at most %d",
			len(p.Data), p.Wire, MaxFrame)
	}
	e := binary.LittleEndian
	e.PutUint32(w.record[:], uint32(seconds))
	e.PutUint32(w.record[offFraction:], uint32(nanos))
	e.PutUint32(w.record[offRecordCap:], uint32(len(p.Data)))
	e.PutUint32(w.record[offRecordWire:], p.Wire)
	_, err := w.w.Write(w.record[:])
	if err == nil {
		_, err = w.w.Write(p.Data)
	}
	if err != nil {
		return fmt.Errorf("write packet: %w", err)
	}
	return nil
}

// Flush writes out what is still buffered; the file is whole afterwards.
func (w *ClassicWriter) Flush() error { return w.w.Flush() }
