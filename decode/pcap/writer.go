package pcap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Section is what a pcapng file says of itself. Empty fields are left out.
type Section struct {
	Comment     string
	Hardware    string
	OS          string
	Application string
}

// Interface is what a pcapng file says of where its packets come from.
type Interface struct {
	Link    uint16 // link type, as decode.Link numbers them
	SnapLen uint32 // captured bytes of a packet at most; 0: no limit
	Name    string // left out when empty
}

// Options beside those that the reader knows.
const (
	optHardware    = 2
	optOS          = 3
	optApplication = 4
	optIfaceName   = 2
)

// maxOption is the greatest length of a text in an option.
const maxOption = math.MaxUint16

// Writer writes a pcapng file with one section, in little endian, with times in nanoseconds. The
// bytes depend on its arguments alone.
//
// Concurrency: for one goroutine.
type Writer struct {
	w      *bufio.Writer
	ifaces int
	block  []byte // under construction, reused
}

// NewWriter writes a section header to w and describes the interfaces, which get the IDs 0, 1, …
func NewWriter(w io.Writer, s Section, ifaces ...Interface) (*Writer, error) {
	out := &Writer{w: bufio.NewWriter(w)}
	out.begin(blockSection)
	out.u32(0x1a2b3c4d)
	out.block = append(out.block, 1, 0, 0, 0) // version 1.0
	out.u32(math.MaxUint32)                   // length of the section: unspecified
	out.u32(math.MaxUint32)
	texts := []struct {
		code uint16
		text string
	}{
		{optComment, s.Comment}, {optHardware, s.Hardware}, {optOS, s.OS},
		{optApplication, s.Application},
	}
	for _, t := range texts {
		if err := out.text(t.code, t.text); err != nil {
			return nil, fmt.Errorf("write section header: %w", err)
		}
	}
	out.endOptions(sectionLen)
	if err := out.finish(); err != nil {
		return nil, fmt.Errorf("write section header: %w", err)
	}
	for _, i := range ifaces {
		if _, err := out.AddInterface(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// AddInterface describes one more interface and returns its ID.
func (w *Writer) AddInterface(i Interface) (id int, err error) {
	w.begin(blockInterface)
	w.u32(uint32(i.Link)) // and 16 reserved bits
	w.u32(i.SnapLen)
	if err := w.text(optIfaceName, i.Name); err != nil {
		return 0, fmt.Errorf("write interface %d: %w", w.ifaces, err)
	}
	w.option(optTimeRes, []byte{9})
	w.endOptions(ifaceLen)
	if err := w.finish(); err != nil {
		return 0, fmt.Errorf("write interface %d: %w", w.ifaces, err)
	}
	w.ifaces++
	return w.ifaces - 1, nil
}

// Write adds a packet of the interface with that ID; p.Link is not looked at. A comment that is
// not empty goes with it. It is an error, and nothing is written, if p.Time is negative, the
// data is longer than MaxFrame or p.Wire, or the comment longer than 65535 bytes.
func (w *Writer) Write(id int, p *Packet, comment string) error {
	switch {
	case id < 0 || id >= w.ifaces:
		return fmt.Errorf("write packet: interface %d of %d", id, w.ifaces)
	case p.Time < 0:
		return fmt.Errorf("write packet: time %d is before 1970", p.Time)
	case len(p.Data) > MaxFrame || uint64(len(p.Data)) > uint64(p.Wire):
		return fmt.Errorf("write packet: %d captured bytes of %d on the wire, at most %d",
			len(p.Data), p.Wire, MaxFrame)
	}
	w.begin(blockEnhanced)
	w.u32(uint32(id))
	w.u32(uint32(p.Time >> 32))
	w.u32(uint32(p.Time))
	w.u32(uint32(len(p.Data)))
	w.u32(p.Wire)
	w.padded(p.Data)
	body := len(w.block)
	if err := w.text(optComment, comment); err != nil {
		return fmt.Errorf("write packet: %w", err)
	}
	w.endOptions(body)
	if err := w.finish(); err != nil {
		return fmt.Errorf("write packet: %w", err)
	}
	return nil
}

// Flush writes out what is still buffered; the file is whole afterwards.
func (w *Writer) Flush() error { return w.w.Flush() }

func (w *Writer) begin(kind uint32) {
	w.block = w.block[:0]
	w.u32(kind)
	w.u32(0) // length, set by finish
}

func (w *Writer) u32(v uint32) { w.block = binary.LittleEndian.AppendUint32(w.block, v) }

// padded appends b and zeros up to a multiple of 4.
func (w *Writer) padded(b []byte) {
	w.block = append(w.block, b...)
	for len(w.block)%4 != 0 {
		w.block = append(w.block, 0)
	}
}

// text appends an option with a text that is not empty.
func (w *Writer) text(code uint16, text string) error {
	if len(text) > maxOption {
		return fmt.Errorf("option %d: text of %d bytes is over %d", code, len(text), maxOption)
	}
	if text != "" {
		w.option(code, []byte(text))
	}
	return nil
}

func (w *Writer) option(code uint16, value []byte) {
	w.u32(uint32(code) | uint32(len(value))<<16)
	w.padded(value)
}

// endOptions ends the options of a block whose body without them has body bytes.
func (w *Writer) endOptions(body int) {
	if len(w.block) > body {
		w.u32(optEnd)
	}
}

// finish sets the length in front of and behind the block and writes it.
func (w *Writer) finish() error {
	length := uint32(len(w.block) + blockTrailerLen)
	binary.LittleEndian.PutUint32(w.block[4:], length)
	w.u32(length)
	_, err := w.w.Write(w.block)
	return err
}
