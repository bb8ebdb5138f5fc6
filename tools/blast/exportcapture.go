package blast

import (
	"bytes"
	"io"
	"net/netip"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// Collector is where the datagrams of a capture of exports are sent: NetFlow and IPFIX to port
// 2055, sFlow to port 6343.
func (w *ExportWorkload) Collector() netip.AddrPort {
	port := uint16(2055)
	if w.SFlow {
		port = 6343
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 250}), port)
}

// Capture writes the workload's first count datagrams to out as a pcapng file, gap apart from
// ExportEpoch on.
func (w *ExportWorkload) Capture(out io.Writer, count int, gap time.Duration) error {
	file, err := pcap.NewWriter(out, pcap.Section{Application: "weir"}, pcap.Interface{
		Link: uint16(decode.LinkEthernet), SnapLen: MaxFrame, Name: "blast",
	})
	if err != nil {
		return err
	}
	stream, to := w.Datagrams(), w.Collector()
	var payload []byte
	frame := make([]byte, MaxFrame)
	for i := range count {
		var from netip.AddrPort
		payload, from, _ = stream.Next(payload[:0])
		n := udpFrame(frame, from, to, payload)
		p := pcap.Packet{
			Time: ExportEpoch*int64(time.Second) + int64(i)*int64(gap),
			Link: uint16(decode.LinkEthernet), Wire: uint32(n), Data: frame[:n],
		}
		if err := file.Write(0, &p, ""); err != nil {
			return err
		}
	}
	return file.Flush()
}

// Datagram is one UDP datagram of a capture.
type Datagram struct {
	Time     time.Time
	From, To netip.AddrPort // IPv4
	Payload  []byte
}

// DatagramCapture returns a capture of datagrams, in their order; name is that of its errors.
func DatagramCapture(name string, list []Datagram) (*pcap.Reader, error) {
	var out bytes.Buffer
	file, err := pcap.NewWriter(&out, pcap.Section{Application: "weir"}, pcap.Interface{
		Link: uint16(decode.LinkEthernet), SnapLen: MaxFrame, Name: "blast",
	})
	if err != nil {
		return nil, err
	}
	frame := make([]byte, MaxFrame)
	for i := range list {
		d := &list[i]
		n := udpFrame(frame, d.From, d.To, d.Payload)
		p := pcap.Packet{
			Time: d.Time.UnixNano(), Link: uint16(decode.LinkEthernet), Wire: uint32(n),
			Data: frame[:n],
		}
		if err := file.Write(0, &p, ""); err != nil {
			return nil, err
		}
	}
	if err := file.Flush(); err != nil {
		return nil, err
	}
	return pcap.NewReader(name, &out)
}

// udpFrame writes an IPv4 UDP packet to b and returns the frame's length.
func udpFrame(b []byte, from, to netip.AddrPort, payload []byte) int {
	n := ethernet(b, TypeIPv4)
	ip := IPv4{
		Dont: true, TTL: ttl, Proto: ProtoUDP,
		Src: decode.AddrFrom(from.Addr()), Dst: decode.AddrFrom(to.Addr()),
	}
	length := UDPLen + len(payload)
	n += ip.Put(b[n : n+IPv4Len+length])
	message := b[n : n+length]
	udp := UDP{SrcPort: from.Port(), DstPort: to.Port()}
	copy(message[udp.Put(message):], payload)
	SetChecksum(message, ProtoUDP, ip.Src, ip.Dst, length)
	n += length
	clear(b[n:max(n, MinFrame)])
	return max(n, MinFrame)
}
