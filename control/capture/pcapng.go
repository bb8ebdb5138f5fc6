package capture

import (
	"fmt"
	"io"

	"weir/decode/pcap"
	"weir/ring"
)

// WritePCAPNG writes samples as a pcapng file, one interface per link type in the order in which
// they appear. The comment stands in the section header; each packet's own says which stream
// took it, with what probability, and how the source had sampled.
func WritePCAPNG(w io.Writer, samples []Sample, comment string) error {
	out, err := pcap.NewWriter(w, pcap.Section{Comment: comment, Application: "weir"})
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	ifaces := map[uint16]int{}
	for i := range samples {
		s := &samples[i]
		id, known := ifaces[s.Link]
		if !known {
			id, err = out.AddInterface(pcap.Interface{Link: s.Link, SnapLen: ring.SnapLen})
			if err != nil {
				return fmt.Errorf("write evidence: %w", err)
			}
			ifaces[s.Link] = id
		}
		data := s.Data[:min(int(s.Cap), ring.SnapLen)]
		p := pcap.Packet{
			Time: s.Time, Link: s.Link, Wire: max(s.Wire, uint32(len(data))), Data: data,
		}
		if err := out.Write(id, &p, packetComment(s)); err != nil {
			return fmt.Errorf("write evidence: packet %d of %d: %w", i+1, len(samples), err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	return nil
}

func packetComment(s *Sample) string {
	stream, direction := "baseline", "incoming"
	if s.Stream == ring.Warm {
		stream = "warm"
	}
	if s.Outgoing {
		direction = "outgoing"
	}
	told := ""
	if s.Forwarding != 0 {
		told = fmt.Sprintf(" forwarding_status=%d", s.Forwarding)
	}
	return fmt.Sprintf("stream=%s probability=1/%d sampling=1:%d direction=%s%s",
		stream, max(s.Gap, 1), max(s.Sampling, 1), direction, told)
}
