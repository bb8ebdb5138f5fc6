package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/ring"
)

// TestShare has many exporters send to one port with several sockets, over IPv4 and IPv6: all is
// received once, and each exporter's datagrams come to one source, in their order.
func TestShare(t *testing.T) {
	const sockets, exporters, each = 4, 64, 100
	l := listen(t, Config{Listen: ":0", Sockets: sockets})
	if len(l.Sources()) != sockets {
		t.Fatal(len(l.Sources()), " sources")
	}
	var senders []*net.UDPConn
	for i := range exporters {
		senders = append(senders, dial(t, []string{"127.0.0.1", "::1"}[i%2], l.Addr().Port()))
	}
	for n := range uint32(each) {
		for _, c := range senders {
			send(t, c, binary.BigEndian.AppendUint32(nil, n))
		}
	}
	type sender struct {
		hi, lo uint64
		port   uint16
	}
	home := map[sender]int{}
	next := map[sender]uint32{}
	used := 0
	for number, s := range l.Sources() {
		before := len(home)
		var b ring.Batch
		for {
			n, err := s.Poll(&b)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			for i := range n {
				hi, lo, port := ring.Sender(b.Data(i))
				from := sender{hi, lo, port}
				if at, ok := home[from]; ok && at != number {
					t.Fatalf("port %d came to sources %d and %d", port, at, number)
				}
				home[from] = number
				at := binary.BigEndian.Uint32(b.Data(i)[ring.SenderLen:])
				if at != next[from] {
					t.Fatalf("datagram %d for %d", at, next[from])
				}
				next[from]++
			}
			s.Release(&b)
		}
		if len(home) > before {
			used++
		}
	}
	if st := l.Stats(); st.Received != exporters*each || st.Bytes != 4*exporters*each {
		t.Errorf("%+v", st)
	}
	if len(home) != exporters || used < 2 {
		t.Errorf("%d exporters seen at %d sources", len(home), used)
	}
}

// TestWithoutIPv6 has a kernel that knows no IPv6.
func TestWithoutIPv6(t *testing.T) {
	no6 := func(at netip.AddrPort) (int, error) {
		if at.Addr().Is6() {
			return -1, fmt.Errorf("open a socket: %w", unix.EAFNOSUPPORT)
		}
		return openSocket(at)
	}
	for _, test := range []struct {
		listen string
		ok     bool
	}{{":0", true}, {"0.0.0.0:0", true}, {"[::]:0", false}, {"[::1]:0", false}} {
		at, fallback, err := parseListen(test.listen)
		if err != nil {
			t.Fatal(err)
		}
		l := &Listener{at: at}
		err = l.claim(fallback, no6)
		if test.ok && (err != nil || !l.at.Addr().Is4()) {
			t.Errorf("%s: at %v: %v", test.listen, l.at, err)
		}
		if !test.ok && !errors.Is(err, unix.EAFNOSUPPORT) {
			t.Errorf("%s: %v", test.listen, err)
		}
	}
}

// TestOnlyIPv4 has an address of one family receive none of the other.
func TestOnlyIPv4(t *testing.T) {
	l := listen(t, Config{Listen: "0.0.0.0:0"})
	send(t, dial(t, "127.0.0.1", l.Addr().Port()), nil)
	var b ring.Batch
	take(t, l.Sources()[0], &b)
	c := dial(t, "::1", l.Addr().Port())
	_, _ = c.Write([]byte("weir"))
	if n, err := l.Sources()[0].Poll(&b); n != 0 || err != nil {
		t.Errorf("%d datagrams over IPv6: %v", n, err)
	}
}

func TestBuffer(t *testing.T) {
	const wanted = 8 << 20
	l := listen(t, Config{Listen: ":0", Sockets: 2, ReceiveBuffer: wanted})
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Fatal(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	effective, asked := l.Buffer()
	if asked != wanted || effective != wanted && effective != min(limit, wanted) {
		t.Errorf("%d of %d bytes, net.core.rmem_max %d", effective, asked, limit)
	}
}

// The greatest buffer is granted as it was asked for, where the user may have it.
func TestGreatestBuffer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("net.core.rmem_max binds who is not root")
	}
	l := listen(t, Config{Listen: ":0", ReceiveBuffer: MaxReceiveBuffer})
	if effective, asked := l.Buffer(); effective != asked {
		t.Errorf("%d of %d bytes", effective, asked)
	}
}

// TestNotPermitted needs a user who may not have ports below 1024.
func TestNotPermitted(t *testing.T) {
	l, err := Open(Config{Listen: "127.0.0.1:1", Clock: clock})
	if err == nil {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		t.Skip("port 1 is permitted to this user")
	}
	if !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
		t.Error(err)
	}
}

// TestUnread has datagrams in the socket when it is closed, after some were lent.
func TestUnread(t *testing.T) {
	l := listen(t, Config{Listen: "127.0.0.1:0"})
	s := l.Sources()[0]
	c := dial(t, "127.0.0.1", l.Addr().Port())
	for i := range 100 {
		send(t, c, []byte{byte(i)})
	}
	var b ring.Batch
	if n := take(t, s, &b); n != ring.BurstSize {
		t.Fatal(n, " datagrams")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range b.N {
		if got := b.Data(i)[ring.SenderLen]; got != byte(i) {
			t.Fatalf("datagram %d became %d", i, got)
		}
	}
	s.Release(&b)
	st := s.Stats()
	if st.Received != ring.BurstSize || st.Dropped[DropClosed] != 100-ring.BurstSize {
		t.Errorf("%+v", st)
	}
	if _, err := s.Poll(&b); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestNoAllocs(t *testing.T) {
	l := listen(t, Config{Listen: ":0", maxPayload: 100, Spin: math.MaxInt64})
	s := l.Sources()[0]
	c := dial(t, "::1", l.Addr().Port())
	var b ring.Batch
	for _, test := range []struct {
		name string
		size int
	}{{"nothing", -1}, {"good", 100}, {"truncated", 101}, {"empty", 0}} {
		payload := make([]byte, max(0, test.size))
		allocs := testing.AllocsPerRun(1000, func() {
			if test.size >= 0 {
				send(t, c, payload)
			}
			if _, err := s.Poll(&b); err != nil {
				t.Fatal(err)
			}
			s.Release(&b)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", test.name, allocs)
		}
	}
	s.spin = 0
	if allocs := testing.AllocsPerRun(10, func() { _, _ = s.Poll(&b) }); allocs != 0 {
		t.Errorf("asleep: %v allocations", allocs)
	}
}

// BenchmarkPoll receives datagrams that wait in the socket: what recvmmsg and we take for each.
func BenchmarkPoll(b *testing.B) {
	for _, size := range []int{64, 1400} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			l := listen(b, Config{Listen: "127.0.0.1:0", Spin: math.MaxInt64})
			s := l.Sources()[0]
			c := dial(b, "127.0.0.1", l.Addr().Port())
			payload := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var batch ring.Batch
			waiting := 0
			for b.Loop() { // one datagram
				if waiting == 0 {
					b.StopTimer()
					for waiting < 1024 {
						send(b, c, payload)
						waiting++
					}
					b.StartTimer()
				}
				if waiting--; waiting%ring.BurstSize == 0 {
					if n, err := s.Poll(&batch); n != ring.BurstSize {
						b.Fatal(n, err)
					}
					s.Release(&batch)
				}
			}
		})
	}
}
