package udp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/ring"
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
	for _, listen := range []string{":0", "127.0.0.1:0", "[::1]:0"} {
		t.Run(listen, func(t *testing.T) { testPayloads(t, listen) })
	}
}

func testPayloads(t *testing.T, listen string) {
	sources(t, Config{Listen: listen}, func(t *testing.T, s ring.Source, port uint16) {
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
				if !strings.HasPrefix(listen, ":") && strings.Contains(listen, ".") !=
					strings.Contains(test.from, ".") {
					t.Skip("not of this family")
				}
				if test.size > 9000 && runtime.GOOS != "linux" {
					t.Skip("others send less at once")
				}
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

// TestWake wakes a sleeping Poll, and one that is yet to sleep.
func TestWake(t *testing.T) {
	type waker interface {
		ring.Source
		Wake()
	}
	sources(t, Config{Listen: ":0"}, func(t *testing.T, s ring.Source, _ uint16) {
		w := s.(waker)
		const rounds = 40
		var wg sync.WaitGroup
		asleep := make(chan struct{})
		wg.Go(func() {
			for range asleep {
				time.Sleep(time.Millisecond)
				w.Wake()
			}
		})
		begin := time.Now()
		for range rounds {
			asleep <- struct{}{}
			var b ring.Batch
			if n, err := w.Poll(&b); n != 0 || err != nil {
				t.Error(n, err)
			}
		}
		took := time.Since(begin)
		close(asleep)
		wg.Wait()
		if took > rounds*pollMillis*time.Millisecond*3/4 {
			t.Errorf("%d polls took %v though they were woken", rounds, took)
		}
	})
}

// TestAsleep has a datagram come while Poll sleeps: the next Poll lends it, so that a worker does
// not take its sleep for work.
func TestAsleep(t *testing.T) {
	const pause, short = pollMillis * 8 / 10 * time.Millisecond, pollMillis / 2 * time.Millisecond
	sources(t, Config{Listen: ":0"}, func(t *testing.T, s ring.Source, port uint16) {
		c := dial(t, "127.0.0.1", port)
		var b ring.Batch
		took := time.Duration(0)
		for range 5 { // a busy machine may take its time
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(pause)
				if _, err := c.Write([]byte("weir")); err != nil {
					t.Error(err)
				}
			})
			for end := time.Now().Add(time.Second); ; {
				begin := time.Now()
				n, err := s.Poll(&b)
				took = time.Since(begin)
				if err != nil || begin.After(end) {
					t.Fatal("nothing came: ", err)
				}
				if n > 0 {
					break
				}
			}
			wg.Wait()
			checkFrame(t, &b, []byte("weir"), c.LocalAddr().String())
			s.Release(&b)
			if took < short {
				return
			}
		}
		t.Errorf("slept for %v before lending what came meanwhile", took)
	})
}
