package main

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/net/ipv4"

	"weir/tools/blast"
)

// stream is a workload's datagrams in memory. Where it begins anew, sequence numbers do too.
type stream struct {
	workload  *blast.ExportWorkload
	datagrams [][]byte
	records   []int
	next      int
	share     float64 // of the rate that others are sent at
}

// streamLen is how many datagrams a stream has.
const streamLen = 40_000

func newStream(w *blast.ExportWorkload) *stream {
	s := &stream{workload: w, share: 1}
	switch {
	case w.Records == 1:
		s.share = 0.1
	case w.SFlow:
		s.share = 0.33
	}
	from := w.Datagrams()
	for range streamLen {
		b, _, records := from.Next(nil)
		s.datagrams = append(s.datagrams, b)
		s.records = append(s.records, records)
	}
	return s
}

// sent is what was sent.
type sent struct{ datagrams, records int }

// burst is how many datagrams go out at once: such as routers send, and few enough for any buffer.
const burst = 16

// send sends at a rate of records per second to the port for so long, and returns what and how
// long it took.
func (s *stream) send(port int, rate float64, lasts time.Duration) (sent, time.Duration, error) {
	var out sent
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	socket, err := net.DialUDP("udp4", nil, to)
	if err != nil {
		return out, 0, err
	}
	defer socket.Close()
	conn := ipv4.NewPacketConn(socket)
	messages := make([]ipv4.Message, burst)
	for i := range messages {
		messages[i].Buffers = make([][]byte, 1)
	}
	began := time.Now()
	for time.Since(began) < lasts {
		due := began.Add(time.Duration(float64(out.records) / rate * 1e9))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		for i := range messages {
			messages[i].Buffers[0] = s.datagrams[s.next]
			out.records += s.records[s.next]
			s.next = (s.next + 1) % len(s.datagrams)
		}
		for left := messages; len(left) > 0; {
			n, err := conn.WriteBatch(left, 0)
			if err != nil {
				return out, 0, fmt.Errorf("send to port %d: %w", port, err)
			}
			left = left[n:]
			out.datagrams += n
		}
	}
	return out, time.Since(began), nil
}
