package bgp_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/control/bgp"
	"weir/control/bgp/bgptest"
)

var itoa = strconv.Itoa

// back is how long the speaker may take to announce again, whatever happened to it.
const back = 2 * time.Second

func TestKilledChildIsReplaced(t *testing.T) {
	prefix := netip.MustParsePrefix("203.0.113.7/32")
	stood := func(st *bgp.State) bool { return st.Standing(prefix) == 1 }
	var took []time.Duration
	for range 10 {
		r := router(t, routerAt, nil)
		s := supervise(t, nil, peerOf(r))
		s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
		stands(t, r, 5*time.Second, "203.0.113.7", "2001:db8::7")
		until(t, s, 5*time.Second, "standing", stood)
		start := time.Now()
		if err := syscall.Kill(s.State().Child.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, s, 20*time.Second, "standing again", func(st *bgp.State) bool {
			if len(r.Routes()) != 2 {
				t.Error("graceful restart did not hold the routes")
			}
			return st.Child.Restarts == 1 && stood(st)
		})
		took = append(took, time.Since(start))
		if r.Sessions() != 2 || s.State().Peers[0].Flaps != 1 {
			t.Errorf("%d sessions, %d flaps", r.Sessions(), s.State().Peers[0].Flaps)
		}
		s.Close(false)
	}
	slices.Sort(took)
	t.Log("times from kill -9 to standing again, sorted:", took)
	if median := took[len(took)/2]; median > back {
		t.Errorf("the median is %v", median)
	}
}

// TestChildrenThatEndAtOnceAreStartedSlowly has a child that cannot be one.
func TestChildrenThatEndAtOnceAreStartedSlowly(t *testing.T) {
	s := supervise(t, func(c *bgp.Config) { c.Command = []string{"/bin/false"} })
	s.Set(nil)
	time.Sleep(time.Second)
	if n := s.State().Child.Restarts; n < 2 || n > 4 { // at once, after 100, 200, 400 ms
		t.Errorf("%d restarts in a second", n)
	}
}

// TestKilledParentEndsTheChild starts this binary as a parent, and kills it.
func TestKilledParentEndsTheChild(t *testing.T) {
	if os.Getenv("WEIR_TEST_PARENT") != "" {
		s := supervise(t, nil, bgp.Peer{Address: routerAt, Port: 1, AS: routerAS})
		s.Set(nil)
		until(t, s, 5*time.Second, "alive", func(st *bgp.State) bool { return st.Child.Alive })
		fmt.Println("child", s.State().Child.PID)
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run", "^TestKilledParentEndsTheChild$")
	parent.Env = append(os.Environ(), "WEIR_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "child ")))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatal("no child:", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = parent.Wait() // it was killed
	for lives(pid) {
		if time.Since(start) > time.Second {
			t.Fatal("the child lives on")
		}
		time.Sleep(time.Millisecond)
	}
	t.Log("the child ended after", time.Since(start))
}

// lives reports whether a process is there, and not only waited for.
func lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(stat), ") Z ")
}

func TestSilentChildIsKilled(t *testing.T) {
	r := router(t, routerAt, nil)
	s := supervise(t, func(c *bgp.Config) { c.Patience = 1500 * time.Millisecond }, peerOf(r))
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	stands(t, r, 5*time.Second, "203.0.113.7")
	if err := syscall.Kill(s.State().Child.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, s, 5*time.Second, "replaced", func(st *bgp.State) bool {
		return st.Child.Restarts == 1 && st.Established == 1
	})
	stands(t, r, time.Second, "203.0.113.7")
}

func TestRouterThatComesBackHasTheRoutesSoon(t *testing.T) {
	r := router(t, routerAt, nil)
	at := r.Address()
	s := supervise(t, nil, peerOf(r))
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	stands(t, r, 5*time.Second, "203.0.113.7")
	r.Close()
	time.Sleep(time.Second)
	start := time.Now()
	again := router(t, routerAt, func(o *bgptest.Options) { o.Listen = at })
	stands(t, again, 5*time.Second, "203.0.113.7")
	t.Log("after", time.Since(start))
}

func TestNoTransit(t *testing.T) {
	one := router(t, routerAt, nil)
	other := router(t, netip.MustParseAddr("127.0.0.3"), nil)
	s := supervise(t, nil, peerOf(one), peerOf(other))
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	stands(t, one, 5*time.Second, "203.0.113.7")
	stands(t, other, 5*time.Second, "203.0.113.7")
	for i := range 250 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 32)
		if err := one.Announce(prefix, netip.MustParseAddr("192.0.2.2")); err != nil {
			t.Fatal(err)
		}
	}
	until(t, s, 5*time.Second, "ignored", func(st *bgp.State) bool {
		return st.Peers[0].Ignored > 2
	})
	time.Sleep(200 * time.Millisecond)
	stands(t, other, time.Second, "203.0.113.7")
	if st := s.State(); len(st.Peers[1].Out) != 1 || st.Peers[0].Flaps+st.Child.Restarts != 0 {
		t.Errorf("state %+v", st)
	}
}

func TestCloseWithdraws(t *testing.T) {
	for _, withdraw := range []bool{true, false} {
		r := router(t, routerAt, nil)
		s, err := bgp.Start(configOf(t, nil, peerOf(r)))
		if err != nil {
			t.Fatal(err)
		}
		s.Set(approve(t, time.Hour, "203.0.113.7"))
		stands(t, r, 5*time.Second, "203.0.113.7")
		until(t, s, time.Second, "established", func(st *bgp.State) bool {
			return st.Established == 1
		})
		if got := s.Close(withdraw); got != withdraw {
			t.Errorf("Close(%t) returned %t", withdraw, got)
		}
		time.Sleep(50 * time.Millisecond)
		if have := len(r.Routes()) > 0; have == withdraw {
			t.Errorf("Close(%t) left %v", withdraw, r.Routes())
		}
		r.Close()
	}
}

// bad starts a router that says what it should not, beside a good one.
func bad(t *testing.T) (*bgptest.Raw, bgp.Peer) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.4:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	raw := &bgptest.Raw{
		AS: 65003, Restart: 120, RouterID: netip.MustParseAddr("192.0.2.3"), Listener: l,
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return raw, bgp.Peer{
		Address: at.Addr(), Port: at.Port(), AS: 65003, Multihop: 64,
		GracefulRestart: 120 * time.Second,
	}
}

// malformed returns messages to send after a session was established: the published ones first.
func malformed(n int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	seeds := [][]byte{
		bgptest.UnknownType(), bgptest.EarlyAS4Path(65003),
		bgptest.Message(bgptest.Update, 0, 0, 0, 0),
		bgptest.Message(bgptest.Notification, 6, 2, 'b', 'y', 'e'),
		bgptest.Message(bgptest.RouteRefresh, 0, 1, 0, 1),
		bgptest.Message(bgptest.Keepalive), bgptest.Message(bgptest.Open, 4, 0xfd, 0xeb, 0, 90),
	}
	messages := slices.Clone(seeds)
	for len(messages) < n {
		m := slices.Clone(seeds[r.IntN(len(seeds))])
		for range 1 + r.IntN(4) {
			m[16+r.IntN(len(m)-16)] = byte(r.Uint32())
		}
		messages = append(messages, m)
	}
	return messages
}

func TestMalformedMessagesHarmNobodyElse(t *testing.T) {
	good := router(t, routerAt, nil)
	raw, peer := bad(t)
	s := supervise(t, nil, peerOf(good), peer)
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	stands(t, good, 5*time.Second, "203.0.113.7")
	// Each session that ends is answered with a pause: hundreds of them are sent through a link
	// alone, in package speaker.
	const most = 10
	ended := 0
	for _, m := range malformed(300) {
		session, err := raw.Establish()
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Send(append(m, bgptest.Message(bgptest.Keepalive)...)); err != nil {
			t.Fatal(err)
		}
		_, _ = session.Ended(50 * time.Millisecond) // some are sound after all
		session.Close()
		if ended++; ended > most {
			break
		}
	}
	st := s.State()
	t.Logf("%d sessions ended, %d children; the last reason: %s", ended, 1+st.Child.Restarts,
		st.Peers[1].Error)
	stands(t, good, back, "203.0.113.7")
	if st.Child.Restarts != 0 || good.Sessions() != 1 || ended < 2 {
		t.Errorf("%d sessions ended, %d children were replaced, the good router had %d sessions",
			ended, st.Child.Restarts, good.Sessions())
	}
}

// TestFullTableCostsNoMemory has a peer that sends 11 million routes.
func TestFullTableCostsNoMemory(t *testing.T) {
	raw, peer := bad(t)
	s := supervise(t, nil, peer)
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	session, err := raw.Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	body := []byte{0, 0, 0, 14, 0x40, 1, 1, 0, 0x40, 3, 4, 192, 0, 2, 9, 0x40, 2, 0}
	for i := range 1000 {
		body = append(body, 24, 10, byte(i>>8), byte(i))
	}
	update := bgptest.Message(bgptest.Update, body...)
	before := memory(t, s.State().Child.PID)
	for range 11_000 {
		if err := session.Send(update); err != nil {
			t.Fatal(err)
		}
	}
	if err := session.Send(bgptest.Message(bgptest.Keepalive)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	after := memory(t, s.State().Child.PID)
	t.Logf("the child has %d KiB, and had %d", after, before)
	if st := s.State(); after > before+(32<<10) || st.Established != 1 {
		t.Errorf("%d KiB more, state %+v", after-before, st.Peers)
	}
}

// memory returns what a process has in memory, in KiB.
func memory(t *testing.T, pid int) int {
	t.Helper()
	_, rest, _ := strings.Cut(procStatus(t, pid), "VmRSS:")
	var n int
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
