package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/ringtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clock() int64 { return time.Now().UnixNano() }

// listen opens a Listener that the test's end closes.
func listen(t testing.TB, c Config) *Listener {
	t.Helper()
	if c.Clock == nil {
		c.Clock = clock
	}
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// dial returns a socket that sends to port of address.
func dial(t testing.TB, address string, port uint16) *net.UDPConn {
	t.Helper()
	to := netip.AddrPortFrom(netip.MustParseAddr(address), port)
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Skip("no loopback for ", address, ": ", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t testing.TB, c *net.UDPConn, payload []byte) {
	t.Helper()
	if _, err := c.Write(payload); err != nil {
		t.Fatal(err)
	}
}

// take polls until there are frames, and fails if there are none for a second.
func take(t testing.TB, s ring.Source, b *ring.Batch) int {
	t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		n, err := s.Poll(b)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return n
		}
	}
	t.Fatal("nothing came")
	return 0
}

// sources are what a port can be received from: the platform's own way and the portable one.
func sources(t *testing.T, c Config, test func(t *testing.T, s ring.Source, port uint16)) {
	c.Clock = clock
	t.Run("own", func(t *testing.T) {
		l := listen(t, c)
		test(t, l.Sources()[0], l.Addr().Port())
	})
	t.Run("portable", func(t *testing.T) {
		at, fallback, err := parseListen(c.Listen)
		if err == nil {
			err = c.withDefaults()
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := openConn(&c, at, fallback)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, s, netip.MustParseAddrPort(s.socket.LocalAddr().String()).Port())
	})
}

func TestPayloads(t *testing.T) {
	sources(t, Config{Listen: ":0"}, func(t *testing.T, s ring.Source, port uint16) {
		for _, test := range []struct {
			from string
			size int
		}{
			{"127.0.0.1", 0},
			{"127.0.0.1", 1},
			{"127.0.0.1", 1464},
			{"127.0.0.1", 65507}, // the most that IPv4 carries
			{"::1", 0},
			{"::1", 1400},
			{"::1", 65527}, // and IPv6
		} {
			t.Run(fmt.Sprintf("%s %d", test.from, test.size), func(t *testing.T) {
				c := dial(t, test.from, port)
				payload := bytes.Repeat([]byte("weir"), test.size/4+1)[:test.size]
				before := s.Stats()
				send(t, c, payload)
				var b ring.Batch
				if n := take(t, s, &b); n != 1 || b.N != 1 {
					t.Fatalf("%d frames for one", n)
				}
				checkFrame(t, &b, payload, c.LocalAddr().String())
				s.Release(&b)
				after := s.Stats()
				if after.Received != before.Received+1 ||
					after.Bytes != before.Bytes+uint64(test.size) {
					t.Errorf("from %+v to %+v", before, after)
				}
			})
		}
	})
}

// checkFrame holds the only frame of b to what was sent.
func checkFrame(t *testing.T, b *ring.Batch, payload []byte, from string) {
	t.Helper()
	f, data := b.Frames[0], b.Data(0)
	if f.Link != ring.LinkDatagram || int(f.Wire) != len(payload) || f.Time != b.Now {
		t.Errorf("frame %+v at %d", f, b.Now)
	}
	if age := time.Since(time.Unix(0, b.Now)); age < 0 || age > time.Minute {
		t.Errorf("stamped %v ago", age)
	}
	if !bytes.Equal(data[ring.SenderLen:], payload) {
		t.Error("another payload")
	}
	var want [ring.SenderLen]byte
	ring.PutSender(want[:], netip.MustParseAddrPort(from))
	if !bytes.Equal(data[:ring.SenderLen], want[:]) {
		t.Errorf("sender %x, sent from %s", data[:ring.SenderLen], from)
	}
}

func TestTruncated(t *testing.T) {
	c := Config{Listen: "127.0.0.1:0", maxPayload: 1000}
	sources(t, c, func(t *testing.T, s ring.Source, port uint16) {
		sender := dial(t, "127.0.0.1", port)
		for _, size := range []int{1000, 1001, 1000} {
			send(t, sender, make([]byte, size))
		}
		var b ring.Batch
		for got := 0; got < 2; {
			got += take(t, s, &b)
			for i := range b.N {
				if len(b.Data(i)) != ring.SenderLen+1000 || b.Frames[i].Wire != 1000 {
					t.Errorf("frame %+v", b.Frames[i])
				}
			}
			s.Release(&b)
		}
		st := s.Stats()
		if st.Received != 2 || st.Bytes != 2000 || st.Dropped[DropTruncated] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// TestAccounting has more sent than a small buffer holds: each datagram is received or counted.
func TestAccounting(t *testing.T) {
	const sent = 200_000
	l := listen(t, Config{Listen: "127.0.0.1:0", ReceiveBuffer: 256 << 10})
	c := dial(t, "127.0.0.1", l.Addr().Port())
	s := l.Sources()[0]
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		var payload [200]byte
		for i := range uint32(sent) {
			binary.BigEndian.PutUint32(payload[:], i)
			if _, err := c.Write(payload[:]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer wg.Wait()
	var b ring.Batch
	got, last, fill := uint64(0), int64(-1), uint8(0)
	for round := 0; ; round++ {
		over := done.Load()
		n, err := s.Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 && over {
			break
		}
		fill = max(fill, b.Fill)
		for i := range n {
			at := int64(binary.BigEndian.Uint32(b.Data(i)[ring.SenderLen:]))
			if at <= last {
				t.Fatalf("datagram %d after %d", at, last)
			}
			last = at
		}
		got += uint64(n)
		s.Release(&b)
		if round%64 == 0 {
			time.Sleep(time.Millisecond) // a worker that is too slow
		}
	}
	st := s.Stats()
	lost := st.Dropped[DropSocket]
	if st.Received != got || got+lost != sent || lost == 0 || st.Bytes != 200*got {
		t.Errorf("%d sent, %d received and %d lost: %+v", sent, got, lost, st)
	}
	if fill < 50 {
		t.Errorf("lost %d with a buffer %d %% full", lost, fill)
	}
	t.Logf("%d received + %d lost = %d sent; fill %d %%", got, lost, got+lost, fill)
}

func TestSpin(t *testing.T) {
	var now atomic.Int64
	now.Store(clock())
	l := listen(t, Config{Listen: "127.0.0.1:0", Spin: time.Millisecond, Clock: now.Load})
	c := dial(t, "127.0.0.1", l.Addr().Port())
	ringtest.Spin(t, l.Sources()[0], &now, time.Millisecond, pollMillis*time.Millisecond,
		func() { send(t, c, []byte("weir")) })
}

func TestOpenFailure(t *testing.T) {
	taken := listen(t, Config{Listen: "127.0.0.1:0"})
	for _, test := range []struct {
		name   string
		config Config
		want   string
		is     error
	}{
		{"in use", Config{Listen: taken.Addr().String()}, "another program", unix.EADDRINUSE},
		{"in use, all addresses", Config{Listen: fmt.Sprintf(":%d", taken.Addr().Port())},
			"another program", unix.EADDRINUSE},
		{"no such address", Config{Listen: "192.0.2.1:2055"}, "no interface", unix.EADDRNOTAVAIL},
		{"no port", Config{Listen: "127.0.0.1"}, "ADDRESS:PORT", nil},
		{"port too great", Config{Listen: ":65536"}, "no port", nil},
		{"named port", Config{Listen: ":http"}, "no port", nil},
		{"signed port", Config{Listen: ":+1"}, "no port", nil},
		{"name", Config{Listen: "localhost:2055"}, "no IP address", nil},
		{"no such zone", Config{Listen: "[fe80::1%none0]:2055"}, "none0", nil},
		{"sockets", Config{Listen: ":0", Sockets: MaxSockets + 1}, "at most 256", nil},
		{"buffer", Config{Listen: ":0", ReceiveBuffer: -1}, "receive buffer", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := descriptors(t)
			test.config.Clock = clock
			l, err := Open(test.config)
			if err == nil {
				t.Fatal("opened at ", l.Addr(), l.Close())
			}
			if !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), test.config.Listen) ||
				test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v", err)
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors open, %d before", after, before)
			}
		})
	}
	if _, err := Open(Config{Listen: ":0"}); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("%v", err)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestClose(t *testing.T) {
	before := descriptors(t)
	for _, sockets := range []int{1, 4} {
		l, err := Open(Config{Listen: ":0", Sockets: sockets, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, s := range l.Sources() {
			wg.Go(func() {
				var b ring.Batch
				for {
					if _, err := s.Poll(&b); err != nil {
						if !errors.Is(err, io.EOF) {
							t.Error(err)
						}
						return
					}
					s.Release(&b)
				}
			})
		}
		time.Sleep(pollMillis * time.Millisecond)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		l.Sources()[0].Wake() // of one that is closed: nothing
		if err := l.Close(); err != nil {
			t.Error("closed twice: ", err)
		}
	}
	if after := descriptors(t); after > before+2 { // the runtime's poller has two of its own
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}
