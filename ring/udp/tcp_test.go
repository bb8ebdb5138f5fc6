package udp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/ring"
)

func listenTCP(t testing.TB, c TCPConfig) *TCPSource {
	t.Helper()
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	c.Clock = clock
	s, err := OpenTCP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connect(t testing.TB, s *TCPSource) *net.TCPConn {
	t.Helper()
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ipfix returns a message of size bytes that number tells from others.
func ipfix(size int, number uint32) []byte {
	m := bytes.Repeat([]byte{byte(number)}, size)
	binary.BigEndian.PutUint16(m, ipfixVersion)
	binary.BigEndian.PutUint16(m[2:], uint16(size))
	binary.BigEndian.PutUint32(m[4:], number)
	return m
}

func write(t testing.TB, c net.Conn, parts ...[]byte) {
	t.Helper()
	for _, p := range parts {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

// ended waits until the source counts one by counter.
func ended(t *testing.T, s *TCPSource, counter func(TCPStats) uint64) TCPStats {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		st := s.TCPStats()
		if counter(st) >= 1 {
			return st
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", st)
		}
	}
}

func TestTCPMessages(t *testing.T) {
	s := listenTCP(t, TCPConfig{Listen: ":0"})
	c := connect(t, s)
	messages := [][]byte{
		ipfix(ipfixHeader, 0), ipfix(1400, 1), ipfix(maxMessage, 2), ipfix(17, 3), ipfix(40_000, 4),
	}
	all := bytes.Join(messages, nil)
	for name, parts := range map[string][][]byte{
		"each":     messages,
		"together": {all},
		"torn":     {all[:1], all[1:3], all[3:15], all[15:17], all[17:20_000], all[20_000:]},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Stats()
			write(t, c, parts...)
			var b ring.Batch
			for n := 0; n < len(messages); {
				take(t, s, &b)
				for i := range b.N {
					data, f := b.Data(i), b.Frames[i]
					if !bytes.Equal(data[ring.SenderLen:], messages[n]) {
						t.Fatalf("message %d differs", n)
					}
					var from [ring.SenderLen]byte
					ring.PutSender(from[:], netip.MustParseAddrPort(c.LocalAddr().String()))
					if !bytes.Equal(data[:ring.SenderLen], from[:]) ||
						int(f.Wire) != len(messages[n]) || f.Link != ring.LinkDatagram ||
						f.Time != b.Now {
						t.Errorf("frame %+v from %x", f, data[:ring.SenderLen])
					}
					n++
				}
				s.Release(&b)
			}
			after := s.Stats()
			if after.Received-before.Received != uint64(len(messages)) ||
				after.Bytes-before.Bytes != uint64(len(all)) {
				t.Errorf("from %+v to %+v", before, after)
			}
		})
	}
}

// TestTCPBad has peers that send what is no IPFIX, or stop, beside one that goes on.
func TestTCPBad(t *testing.T) {
	half := ipfix(1000, 7)[:500]
	v9 := binary.BigEndian.AppendUint16(nil, 9)
	for _, test := range []struct {
		name    string
		send    []byte
		close   bool
		counter func(TCPStats) uint64
		drop    string
	}{
		{"NetFlow v9", append(v9, half...), false, badFrames, DropBadFrame},
		{"two bytes", v9, true, badFrames, DropBadFrame},
		{"length 15", []byte{0, 10, 0, 15}, true, badFrames, DropBadFrame},
		{"length 0", append([]byte{0, 10, 0, 0}, half...), false, badFrames, DropBadFrame},
		{"after a good one", append(ipfix(20, 1), half[4:]...), false, badFrames, DropBadFrame},
		{"cut", half, true, cutShort, DropCutShort},
		{"cut in the header", half[:10], true, cutShort, DropCutShort},
		{"cut after a byte", half[:1], true, cutShort, DropCutShort},
		{"stalls", half, false, cutShort, DropCutShort},
		{"stalls in the header", half[:3], false, cutShort, DropCutShort},
		{"says nothing", nil, false, idle, ""},
		{"goes silent", ipfix(20, 1), false, idle, ""},
		{"leaves", ipfix(20, 1), true, finished, ""},
		{"leaves at once", nil, true, finished, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			const wait = 100 * time.Millisecond
			s := listenTCP(t, TCPConfig{Patience: wait, Idle: 2 * wait})
			good, c := connect(t, s), connect(t, s)
			write(t, good, ipfix(100, 1))
			write(t, c, test.send)
			if test.close {
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			st := ended(t, s, test.counter)
			if st.Open+int(st.Idle) < 1 || st.Accepted != 2 {
				t.Errorf("%+v", st)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
				t.Error("still connected: ", err)
			}
			for name, n := range s.Stats().Dropped {
				if want := name == test.drop; want != (n == 1) {
					t.Errorf("%d %s", n, name)
				}
			}
			if test.counter(TCPStats{Idle: 1}) == 1 {
				return // the good one is silent, too
			}
			write(t, good, ipfix(100, 2))
			var b ring.Batch
			for found := false; !found; s.Release(&b) {
				take(t, s, &b)
				for i := range b.N {
					found = found || bytes.Equal(b.Data(i)[ring.SenderLen:], ipfix(100, 2))
				}
			}
		})
	}
}

func badFrames(s TCPStats) uint64 { return s.BadFrames }
func cutShort(s TCPStats) uint64  { return s.CutShort }
func idle(s TCPStats) uint64      { return s.Idle }
func finished(s TCPStats) uint64  { return s.Finished }

func TestTCPRefused(t *testing.T) {
	nobody := func(netip.Addr) bool { return false }
	only4 := func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") }
	for _, test := range []struct {
		name   string
		config TCPConfig
		open   int
	}{
		{"in all", TCPConfig{Connections: 2}, 2},
		{"of an address", TCPConfig{PerAddress: 1}, 1},
		{"not allowed", TCPConfig{Allow: nobody}, 0},
		{"allowed", TCPConfig{Allow: only4, Connections: 3}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := listenTCP(t, test.config)
			var open []*net.TCPConn
			for range test.open {
				open = append(open, connect(t, s))
			}
			c := connect(t, s)
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			st := ended(t, s, func(st TCPStats) uint64 { return st.Refused })
			if st.Open != test.open || int(st.Accepted) != test.open {
				t.Errorf("%+v", st)
			}
			if test.open == 0 {
				return
			}
			if err := open[0].Close(); err != nil { // makes room
				t.Fatal(err)
			}
			ended(t, s, finished)
			write(t, connect(t, s), ipfix(20, 0))
			var b ring.Batch
			take(t, s, &b)
			s.Release(&b)
		})
	}
}

// TestTCPSlow has exporters that are faster than Poll: they wait, and nothing is lost.
func TestTCPSlow(t *testing.T) {
	const exporters, each, size = 4, 500, 5000
	s := listenTCP(t, TCPConfig{})
	var wg sync.WaitGroup
	defer wg.Wait()
	for range exporters {
		c := connect(t, s)
		wg.Go(func() {
			for n := range uint32(each) {
				if _, err := c.Write(ipfix(size, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // all buffers are full
	if n := len(s.queue); n > queued {
		t.Errorf("%d messages wait", n)
	}
	next := map[uint16]uint32{}
	var b ring.Batch
	for got := 0; got < exporters*each; s.Release(&b) {
		got += take(t, s, &b)
		for i := range b.N {
			_, _, port := ring.Sender(b.Data(i))
			if !bytes.Equal(b.Data(i)[ring.SenderLen:], ipfix(size, next[port])) {
				t.Fatalf("not message %d of port %d", next[port], port)
			}
			next[port]++
		}
	}
}

// TestTCPClose has messages under way and connections open.
func TestTCPClose(t *testing.T) {
	s := listenTCP(t, TCPConfig{})
	a, b := connect(t, s), connect(t, s)
	for n := range uint32(10) {
		write(t, a, ipfix(100, n))
	}
	write(t, b, ipfix(100, 0)[:50])
	var wg sync.WaitGroup
	var batch ring.Batch
	take(t, s, &batch)
	got := batch.N
	s.Release(&batch)
	for len(s.queue) < 10-got {
		time.Sleep(time.Millisecond)
	}
	ended(t, s, func(st TCPStats) uint64 { return uint64(st.Open) / 2 })
	wg.Go(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if _, err := s.Poll(&batch); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	st := s.Stats()
	if st.Received+st.Dropped[DropClosed] != 10 || st.Received != uint64(got) {
		t.Errorf("%+v", st)
	}
	if tcp := s.TCPStats(); tcp.Open != 0 || tcp.Closed+tcp.CutShort != 2 {
		t.Errorf("%+v", tcp)
	}
}

// TestTCPCloseFull has a connection wait for room in the queue.
func TestTCPCloseFull(t *testing.T) {
	s := listenTCP(t, TCPConfig{})
	c := connect(t, s)
	for n := range uint32(queued + 10) {
		write(t, c, ipfix(100, n))
	}
	for len(s.queue) < queued {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond) // until the next is read
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Dropped[DropClosed]; got != queued+1 {
		t.Errorf("%d messages were lost, of %d in the queue and one before it", got, queued)
	}
}

// TestTCPSleep wakes a Poll by Wake and by Close.
func TestTCPSleep(t *testing.T) {
	s := listenTCP(t, TCPConfig{})
	var b ring.Batch
	begin := time.Now()
	if n, err := s.Poll(&b); n != 0 || err != nil || b.N != 0 {
		t.Error(n, err)
	}
	if took := time.Since(begin); took < pollMillis/2*time.Millisecond {
		t.Errorf("slept for %v", took)
	}
	begin = time.Now()
	for range 100 {
		s.Wake()
		s.Wake()
		if n, err := s.Poll(&b); n != 0 || err != nil {
			t.Error(n, err)
		}
	}
	if took := time.Since(begin); took > 100*pollMillis/2*time.Millisecond {
		t.Errorf("slept for %v", took)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var err error
		for err == nil {
			_, err = s.Poll(&b)
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Error("closed twice: ", err)
	}
}

func TestTCPOpenFailure(t *testing.T) {
	taken := listenTCP(t, TCPConfig{})
	for _, test := range []struct {
		config TCPConfig
		want   string
	}{
		{TCPConfig{Listen: taken.Addr().String()}, "in use"},
		{TCPConfig{Listen: "192.0.2.1:4739"}, "192.0.2.1:4739"},
		{TCPConfig{Listen: "4739"}, "ADDRESS:PORT"},
		{TCPConfig{Listen: ":0", Connections: -1}, "-1 connections"},
		{TCPConfig{Listen: ":0", Idle: -1}, "negative"},
	} {
		test.config.Clock = clock
		s, err := OpenTCP(test.config)
		if err == nil {
			t.Fatal("opened ", test.config.Listen, s.Close())
		}
		if !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), test.config.Listen) {
			t.Error(err)
		}
	}
	if _, err := OpenTCP(TCPConfig{Listen: ":0"}); err == nil {
		t.Error("opened without a clock")
	}
}

func TestGroupOf(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.9":         "192.0.2.9/32",
		"::ffff:192.0.2.9":  "192.0.2.9/32",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"fe80::1%eth0":      "fe80::/64",
	} {
		if got := groupOf(netip.MustParseAddr(text)); got.String() != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// patient is a connection that never ends a read.
type patient struct{}

func (patient) SetReadDeadline(time.Time) error { return nil }

// FuzzMessages holds the reading of a stream to a slow twin that has all of it.
func FuzzMessages(f *testing.F) {
	f.Add(bytes.Join([][]byte{ipfix(16, 1), ipfix(20, 2), ipfix(17, 3)[:16]}, nil), uint8(3))
	f.Add(append(ipfix(100, 1), 0, 9), uint8(1))
	f.Add([]byte{0, 10, 0, 15}, uint8(2))
	s := &TCPSource{}
	s.letters.New = func() any { return new(letter) }
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		var want [][]byte
		end, rest := goOn, stream
		for end == goOn {
			switch {
			case len(rest) == 0:
				end = endFinished
			case len(rest) > 1 && (rest[0] != 0 || rest[1] != 10),
				len(rest) > 3 && rest[2] == 0 && rest[3] < 16:
				end = endBadFrame
			case len(rest) < 16 || len(rest) < int(rest[2])<<8+int(rest[3]):
				end = endCutShort
			default:
				size := int(rest[2])<<8 + int(rest[3])
				want, rest = append(want, rest[:size]), rest[size:]
			}
		}
		in := bufio.NewReaderSize(steps{bytes.NewReader(stream), int(step) + 1}, 16)
		for n := 0; ; n++ {
			got := begin(patient{}, in, time.Hour)
			var m mail
			if got == goOn {
				m, got = s.read(patient{}, in)
			}
			if got != goOn {
				if got != end || n != len(want) {
					t.Fatalf("ended as %d after %d messages, want %d, %d", got, n, end, len(want))
				}
				return
			}
			if !bytes.Equal(m.letter[ring.SenderLen:ring.SenderLen+m.size], want[n]) {
				t.Fatalf("message %d differs", n)
			}
			s.letters.Put(m.letter)
		}
	})
}

// steps reads few bytes at once.
type steps struct {
	io.Reader
	most int
}

func (s steps) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(len(b), s.most)]) }

// BenchmarkTCP receives messages of 1400 bytes from one connection that sends as fast as it can.
func BenchmarkTCP(b *testing.B) {
	s := listenTCP(b, TCPConfig{})
	c := connect(b, s)
	b.SetBytes(1400)
	b.ReportAllocs()
	var wg sync.WaitGroup
	wg.Go(func() {
		many := bytes.Repeat(ipfix(1400, 0), 32)
		for {
			if _, err := c.Write(many); err != nil {
				return // closed, at the end
			}
		}
	})
	var batch ring.Batch
	left := 0
	for b.Loop() { // one message
		for left == 0 {
			n, err := s.Poll(&batch)
			if err != nil {
				b.Fatal(err)
			}
			left = n
			s.Release(&batch)
		}
		left--
	}
	b.StopTimer()
	if err := c.Close(); err != nil {
		b.Error(err)
	}
	wg.Wait()
}
