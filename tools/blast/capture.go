package blast

import (
	"bytes"
	"io"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// WriteTo writes the scenario to w as a pcapng file and returns its length. The bytes depend on
// the scenario alone.
func (s *Scenario) WriteTo(w io.Writer) (int64, error) {
	r, err := s.Reader()
	if err != nil {
		return 0, err
	}
	return io.Copy(w, r)
}

// Capture returns the scenario as a capture file that is being read, for replay; name stands for
// it in errors. Nothing is kept: packets are made as they are asked for, and there is nothing to
// close.
func (s *Scenario) Capture(name string) (*pcap.Reader, error) {
	r, err := s.Reader()
	if err != nil {
		return nil, err
	}
	return pcap.NewReader(name, r)
}

// Reader returns the scenario as the bytes of a pcapng file, made as they are read.
func (s *Scenario) Reader() (io.Reader, error) {
	packets, err := s.Packets()
	if err != nil {
		return nil, err
	}
	r := &reader{packets: packets}
	r.w, err = pcap.NewWriter(&r.out, pcap.Section{Application: "weir"}, pcap.Interface{
		Link: uint16(decode.LinkEthernet), SnapLen: uint32(s.SnapLen), Name: "blast",
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reader is a pcapng file that does not exist as a whole.
type reader struct {
	packets *Packets
	w       *pcap.Writer
	out     bytes.Buffer // written and not yet read
	packet  pcap.Packet
	err     error // io.EOF when the last packet is in out
}

// chunk is how many bytes reader makes at once, or a few more.
const chunk = 64 << 10

func (r *reader) Read(b []byte) (int, error) {
	if r.out.Len() == 0 && r.err == nil && len(b) > 0 {
		r.fill()
	}
	if r.out.Len() == 0 && r.err != nil {
		return 0, r.err
	}
	return r.out.Read(b)
}

func (r *reader) fill() {
	r.out.Reset()
	for r.out.Len() < chunk {
		if !r.packets.Next(&r.packet) {
			r.err = io.EOF
			break
		}
		if err := r.w.Write(0, &r.packet, ""); err != nil {
			r.err = err
			return
		}
	}
	if err := r.w.Flush(); err != nil {
		r.err = err
	}
}

// CaptureOptions say which of a load's frames are written, and how.
type CaptureOptions struct {
	Seed    uint64
	Frames  uint64
	At      func(i uint64) time.Duration // when frame i is sent, after the beginning of 2026, UTC
	Classic bool                         // a pcap file; else pcapng
	// Dst and Src replace the hardware addresses of the frames. nil: they stay.
	Dst, Src *[6]byte
}

// Capture writes the first frames of one of the load's streams to out as a capture file, and
// returns how many bytes they have. They are the frames that a sender sends.
func (l *Load) Capture(out io.Writer, o CaptureOptions) (bytes uint64, err error) {
	stream, err := l.Stream(o.Seed, 0)
	if err != nil {
		return 0, err
	}
	file, err := newFrameWriter(out, o.Classic, uint32(l.MaxLen))
	if err != nil {
		return 0, err
	}
	frame := make([]byte, l.MaxLen)
	for i := range o.Frames {
		n := stream.Next(frame)
		readdress(frame[:n], o.Dst, o.Src)
		p := pcap.Packet{
			Time: defaultStart*int64(time.Second) + int64(o.At(i)),
			Link: uint16(decode.LinkEthernet), Wire: uint32(n), Data: frame[:n],
		}
		if err := file.Write(&p); err != nil {
			return bytes, err
		}
		bytes += uint64(n)
	}
	return bytes, file.Flush()
}

// readdress replaces the hardware addresses of a frame, or as much of them as it has.
func readdress(frame []byte, dst, src *[6]byte) {
	const to, from, end = 0, 6, 12
	if dst != nil {
		copy(frame[to:min(from, len(frame))], dst[:])
	}
	if src != nil {
		copy(frame[min(from, len(frame)):min(end, len(frame))], src[:])
	}
}

// frameWriter writes Ethernet frames to a capture file, of either format.
type frameWriter interface {
	Write(p *pcap.Packet) error
	Flush() error
}

func newFrameWriter(out io.Writer, classic bool, snapLen uint32) (frameWriter, error) {
	const link = uint16(decode.LinkEthernet)
	if classic {
		return pcap.NewClassicWriter(out, link, snapLen)
	}
	w, err := pcap.NewWriter(out, pcap.Section{Application: "weir"}, pcap.Interface{
		Link: link, SnapLen: snapLen, Name: "blast",
	})
	return nextGeneration{w}, err
}

// nextGeneration is a pcapng file with one interface.
type nextGeneration struct{ *pcap.Writer }

// Write implements frameWriter.
func (n nextGeneration) Write(p *pcap.Packet) error { return n.Writer.Write(0, p, "") }
