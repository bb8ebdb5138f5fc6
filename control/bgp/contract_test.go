package bgp_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/control/bgp"
	"weir/control/bgp/bgptest"
	"weir/control/bgp/wire"
)

// child is a speaker that a test talks to itself.
type child struct {
	t    *testing.T
	conn net.Conn
	cmd  *exec.Cmd
	last wire.Report
}

// bare starts a speaker, sets it up, and leaves it alone.
func bare(t *testing.T, setup *wire.Setup) *child {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{childEnv}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = ours.Close(), theirs.Close() // there are copies of both
	t.Cleanup(func() {
		_ = conn.Close() // nothing is left to be said
		if err := cmd.Wait(); err != nil {
			t.Error("speaker:", err)
		}
	})
	c := &child{t: t, conn: conn, cmd: cmd}
	c.send(setup)
	return c
}

func (c *child) send(message any) {
	c.t.Helper()
	if err := wire.Write(c.conn, message); err != nil {
		c.t.Fatal(err)
	}
}

// report returns the first report that satisfies ok.
func (c *child) report(ok func(*wire.Report) bool) wire.Report {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	for {
		m, err := wire.Read(c.conn)
		if err != nil {
			c.t.Fatalf("%v; last report: %+v", err, c.last)
		}
		if r := m.(*wire.Report); !r.Beat {
			c.last = *r
			if ok(r) {
				return *r
			}
		}
	}
}

func setupFor(p *bgptest.Peer) *wire.Setup {
	return &wire.Setup{
		AS: ourAS, RouterID: netip.MustParseAddr("192.0.2.10"), Networks: ourNetworks,
		Peers: []wire.Peer{{
			Address: p.Address().Addr(), Port: p.Address().Port(), AS: routerAS, Multihop: 64,
			GracefulRestart: 120,
		}},
	}
}

func plain(lease time.Duration, prefix, next string) wire.Route {
	return wire.Route{
		Prefix: netip.MustParsePrefix(prefix), NextHop: netip.MustParseAddr(next), Lease: lease,
	}
}

func TestLeaseEndsByTheChildsOwnClock(t *testing.T) {
	r := router(t, routerAt, nil)
	c := bare(t, setupFor(r))
	start := time.Now()
	c.send(&wire.Set{Generation: 1, Routes: []wire.Route{
		plain(time.Second, "203.0.113.7/32", "192.0.2.1"),
		plain(time.Hour, "203.0.113.8/32", "192.0.2.1"),
	}})
	stands(t, r, 5*time.Second, "203.0.113.7", "203.0.113.8")
	stands(t, r, 5*time.Second, "203.0.113.8")
	if took := time.Since(start); took < time.Second || took > 1500*time.Millisecond {
		t.Errorf("a lease of 1 s ended after %v", took)
	}
	c.report(func(r *wire.Report) bool { return r.Counts.Expired == 1 })
}

func TestOlderGenerationIsRefused(t *testing.T) {
	r := router(t, routerAt, nil)
	c := bare(t, setupFor(r))
	c.send(&wire.Set{Generation: 5, Routes: []wire.Route{
		plain(time.Hour, "203.0.113.7/32", "192.0.2.1"),
	}})
	c.send(&wire.Set{Generation: 5})
	c.send(&wire.Set{Generation: 4})
	got := c.report(func(r *wire.Report) bool { return r.Counts.Stale == 2 })
	if got.Generation != 5 {
		t.Errorf("generation is %d", got.Generation)
	}
	stands(t, r, 5*time.Second, "203.0.113.7")
}

func TestContainmentInTheChild(t *testing.T) {
	r := router(t, routerAt, nil)
	setup := setupFor(r)
	setup.Networks = append(setup.Networks, netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("0.0.0.0/0"))
	c := bare(t, setup)
	bad := []wire.Route{
		plain(time.Hour, "0.0.0.0/0", "192.0.2.1"),
		plain(time.Hour, "0.0.0.0/32", "192.0.2.1"),
		plain(time.Hour, "203.0.113.0/24", "192.0.2.1"),
		plain(time.Hour, "2001:db8::/64", "100::1"),
		plain(time.Hour, "198.51.100.1/32", "192.0.2.1"),
		plain(time.Hour, "203.0.113.7/32", "100::1"),
		plain(time.Hour, "2001:db8::7/128", "192.0.2.1"),
		plain(time.Hour, "::ffff:203.0.113.7/128", "100::1"),
		plain(time.Hour, "127.0.0.2/32", "192.0.2.1"),   // the peer
		plain(time.Hour, "192.0.2.10/32", "192.0.2.1"),  // the router ID
		plain(time.Hour, "203.0.113.9/32", "224.0.0.1"), // a next hop that is none
		plain(-time.Second, "203.0.113.10/32", "192.0.2.1"),
	}
	good := plain(time.Hour, "203.0.113.8/32", "192.0.2.1")
	c.send(&wire.Set{Generation: 1, Routes: append(slices.Clone(bad), good, good)})
	got := c.report(func(r *wire.Report) bool { return r.Generation == 1 })
	if int(got.Counts.Refused) != len(bad)+1 || len(got.Refused) != len(bad)+1 {
		t.Errorf("%d of %d refused: %v", got.Counts.Refused, len(bad)+1, got.Refused)
	}
	for _, f := range got.Refused {
		t.Log(f.Prefix, f.Reason)
	}
	stands(t, r, 5*time.Second, "203.0.113.8")
}

func TestKillFileWithdrawsEverything(t *testing.T) {
	// Not below the test's own folder, which nobody but root may search.
	dir, err := os.MkdirTemp("", "weir-kill")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kill")
	r := router(t, routerAt, nil)
	s := supervise(t, func(c *bgp.Config) { c.KillFile = file }, peerOf(r))
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	stands(t, r, 5*time.Second, "203.0.113.7")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stands(t, r, time.Second)
	until(t, s, time.Second, "killed", func(st *bgp.State) bool { return st.Killed })
	s.Set(approve(t, time.Hour, "203.0.113.7", "203.0.113.8"))
	time.Sleep(300 * time.Millisecond)
	stands(t, r, time.Second)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	stands(t, r, time.Second, "203.0.113.7", "203.0.113.8")
}

func TestSameSetSendsNothing(t *testing.T) {
	r := router(t, routerAt, nil)
	s := supervise(t, nil, peerOf(r))
	s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
	stands(t, r, 5*time.Second, "203.0.113.7", "2001:db8::7")
	time.Sleep(100 * time.Millisecond)
	before := r.Updates()
	for range 20 {
		s.Set(approve(t, 2*time.Hour, "2001:db8::7", "203.0.113.7"))
		time.Sleep(5 * time.Millisecond)
	}
	until(t, s, time.Second, "taken", func(st *bgp.State) bool {
		return st.Acknowledged == st.Wanted
	})
	time.Sleep(100 * time.Millisecond)
	if now := r.Updates(); now != before {
		t.Errorf("%d updates for the same routes", now-before)
	}
}

func TestChildHasNoPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has privileges to drop")
	}
	r := router(t, routerAt, nil)
	s := supervise(t, nil, peerOf(r))
	s.Set(nil)
	until(t, s, 5*time.Second, "alive", func(st *bgp.State) bool { return st.Child.Alive })
	status := procStatus(t, s.State().Child.PID)
	for _, want := range []string{
		"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534",
		"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if !strings.Contains(status, "NoNewPrivs:\t1") && !withC {
		t.Error("new privileges are possible")
	}
}

func procStatus(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
	if err != nil {
		t.Skip("no /proc:", err)
	}
	return string(status)
}
