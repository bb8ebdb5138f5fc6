package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/ringtest"
	"weir/ring/wait"
)

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
	if told := procDrops(t, l.Addr().Port()); told != lost {
		t.Errorf("/proc/net/udp says that %d were lost, not %d", told, lost)
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
		for _, s := range l.Sources() {
			if s.polling.Load() {
				t.Error("closed while Poll used the socket")
			}
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

// procDrops returns what /proc/net/udp says that the IPv4 socket at port has lost.
func procDrops(t *testing.T, port uint16) uint64 {
	t.Helper()
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		columns := strings.Fields(line)
		if !strings.HasSuffix(columns[1], fmt.Sprintf(":%04X", port)) {
			continue
		}
		drops, err := strconv.ParseUint(columns[len(columns)-1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return drops
	}
	t.Fatal("no such socket")
	return 0
}

// TestPause has datagrams come one after the other while a source pauses: they come together.
func TestPause(t *testing.T) {
	l := listen(t, Config{Listen: "127.0.0.1:0"})
	s := l.Sources()[0]
	c := dial(t, "127.0.0.1", l.Addr().Port())
	var b ring.Batch
	together := 0
	for try := 0; try < 50 && together < 2; try++ { // a busy machine may take its time
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 4 {
				if _, err := c.Write([]byte("weir")); err != nil {
					t.Error(err)
				}
			}
		})
		for left, end := 4, time.Now().Add(time.Second); left > 0; {
			n, err := s.Poll(&b)
			if err != nil || time.Now().After(end) {
				t.Fatalf("%d datagrams of 4 are missing: %v", left, err)
			}
			together = max(together, n)
			left -= n
			s.Release(&b)
		}
		wg.Wait()
	}
	if together < 2 {
		t.Errorf("%d datagrams came together at most", together)
	}
}

func TestPauseOf(t *testing.T) {
	for buffer, want := range map[int]time.Duration{
		0: 0, 64 << 10: 13107 * time.Nanosecond, 32 << 20: wait.MostPause,
		MaxReceiveBuffer: wait.MostPause,
	} {
		if got := pauseOf(buffer); got != want {
			t.Errorf("pauseOf(%d) = %v, want %v", buffer, got, want)
		}
	}
}
