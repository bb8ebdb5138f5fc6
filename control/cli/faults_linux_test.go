package cli

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/tools/lab"
)

// TestLabKill kills a weir that receives, at random moments: the host's own traffic flows again at
// once, nothing of weir stays on the interface, and another weir takes over within two seconds.
func TestLabKill(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 2
	}
	l := lab.New(t, lab.Options{Queues: 2})
	host := ownTraffic(t, l)
	r := newRig(t, l, captures()["afxdp"])
	r.background(20_000)
	var longest, silent time.Duration
	for range rounds {
		if host(100 * time.Millisecond) {
			t.Fatal("weir holds all queues, and the host's traffic flows")
		}
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		if err := r.stop(syscall.SIGKILL); err == nil {
			t.Fatal("killed, and ended well")
		}
		ended := time.Now()
		if !host(time.Second) {
			t.Fatal("the host's traffic does not flow")
		}
		silent = max(silent, time.Since(ended))
		r.clean()
		begin := time.Now()
		r.start()
		longest = max(longest, r.bound().Sub(begin))
	}
	t.Logf("longest time until the host's traffic flowed: %v, until a new weir had its queues: %v",
		silent.Round(time.Microsecond), longest.Round(time.Millisecond))
	if longest > 2*time.Second {
		t.Errorf("a new weir took %v to bind", longest)
	}
}

// bound returns when the daemon said that it runs: it has its queues then.
func (r *rig) bound() time.Time {
	r.t.Helper()
	_, line, _ := strings.Cut(r.log.String(), "time=")
	stamp, _, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		r.t.Fatalf("%v in %s", err, r.log)
	}
	return at
}

// ownTraffic lets both ends of link 0 talk, and returns a function that sends datagrams to the
// host until one arrives, for so long, and reports whether one did.
func ownTraffic(t *testing.T, l *lab.Lab) func(time.Duration) bool {
	t.Helper()
	for side, prefix := range map[lab.Side]string{
		lab.Gen: "192.0.2.1/24", lab.Sut: "192.0.2.2/24",
	} {
		if err := l.AddAddress(side, 0, netip.MustParsePrefix(prefix)); err != nil {
			t.Fatal(err)
		}
	}
	var in, out net.PacketConn
	var err error
	must := func(e error) {
		t.Helper()
		if e != nil {
			t.Fatal(e)
		}
	}
	listen := func(at lab.Namespace, address string, c *net.PacketConn) {
		t.Helper()
		must(at.Do(func() error { *c, err = net.ListenPacket("udp", address); return err }))
	}
	listen(l.Sut(), "192.0.2.2:7777", &in)
	listen(l.Gen(), "192.0.2.1:0", &out)
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	serial := 0
	return func(patience time.Duration) bool {
		t.Helper()
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.2:7777"))
		buffer := make([]byte, 64)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			serial++
			sent := fmt.Sprint(serial)
			if _, err := out.WriteTo([]byte(sent), to); err != nil {
				t.Fatal(err)
			}
			must(in.SetReadDeadline(time.Now().Add(20 * time.Millisecond)))
			if n, _, err := in.ReadFrom(buffer); err == nil && string(buffer[:n]) == sent {
				return true
			}
		}
		return false
	}
}

// clean fails the test if anything of weir is on mirror0.
func (r *rig) clean() {
	r.t.Helper()
	err := r.lab.Sut().Do(func() error {
		i, err := netlink.LinkByName("mirror0")
		if err != nil {
			return err
		}
		if x := i.Attrs().Xdp; x != nil && x.Attached {
			return fmt.Errorf("a program is attached: %+v", *x)
		}
		if i.Attrs().Promisc != 0 {
			return fmt.Errorf("promiscuous: %d", i.Attrs().Promisc)
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
}

// TestLabTrouble lets links flap, interfaces and queues change, and configurations be reloaded
// each second while packets come: no worker hangs, nothing leaks, and every frame that was sent
// while all was well is accounted for.
func TestLabTrouble(t *testing.T) {
	for engine, capture := range captures() {
		t.Run(engine, func(t *testing.T) {
			l := lab.New(t, lab.Options{Queues: 4})
			if err := l.SetQueues(0, 2); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, l, capture)
			r.background(2000)
			time.Sleep(2 * time.Second)
			fds, goroutines := r.resources()
			r.trouble(l, engine)
			r.eventually("is well again", func() bool { return r.well() })
			time.Sleep(2 * time.Second)
			now, running := r.resources()
			t.Logf("descriptors %d, then %d; goroutines %d, then %d", fds, now, goroutines, running)
			if now > fds+3 || running > goroutines+8 {
				t.Errorf("leaks: descriptors %d, then %d; goroutines %d, then %d", fds, now,
					goroutines, running)
			}
			r.receives()
		})
	}
}

// trouble does everything that can happen to an interface, with a reload beside each.
func (r *rig) trouble(l *lab.Lab, engine string) {
	must := func(err error) {
		r.t.Helper()
		if err != nil {
			r.t.Fatal(err)
		}
	}
	base, err := os.ReadFile(filepath.Join(r.dir, "weir.yaml"))
	must(err)
	reload := func(i int) {
		r.configure(strings.Replace(string(base), "pps: 5k", fmt.Sprintf("pps: %dk", 6+i), 1))
		r.weir("reload")
	}
	if engine == "afxdp" {
		r.queues(l)
	}
	for i := range 3 {
		must(l.LinkDown(lab.Sut, 0))
		r.eventually("sees the link down", func() bool { return r.state() == "link_down" })
		reload(i)
		must(l.LinkUp(lab.Sut, 0))
		r.eventually("sees the link up", func() bool { return r.state() == "up" })
	}
	for i := range 3 {
		must(l.Remove(0))
		r.eventually("misses the interface", func() bool { return r.state() == "missing" })
		reload(10 + i)
		must(l.Make(0))
		if engine == "afpacket" {
			must(l.SetPolled(0))
		}
		r.eventually("has the interface again", func() bool { return r.state() == "up" })
	}
}

// queues lets the interface have more queues under traffic: weir holds them all. Fewer than it
// holds are refused by the kernel, and nothing is lost by trying.
func (r *rig) queues(l *lab.Lab) {
	r.t.Helper()
	if n := r.held(); n != 2 {
		r.t.Fatalf("holds %d queues of 2", n)
	}
	if err := l.SetQueues(0, 4); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("holds 4 queues", func() bool { return r.held() == 4 })
	r.receives()
	if err := l.SetQueues(0, 2); err == nil {
		r.t.Error("the kernel took queues away that are held")
	}
	r.receives()
	if n := r.held(); n != 4 {
		r.t.Errorf("holds %d queues after a refusal", n)
	}
}

func (r *rig) state() string { return r.status().Sources[0].State }

// held returns how many queues have a socket.
func (r *rig) held() (n int) {
	s := r.status()
	for i := range s.Sources {
		if s.Sources[i].Mode != "" {
			n++
		}
	}
	return n
}

func (r *rig) well() bool {
	s := r.status()
	return s.Sources[0].State == "up" && s.Config.ReloadOK
}

// receives fails the test unless frames on every queue are received.
func (r *rig) receives() {
	r.t.Helper()
	before := r.account(0)
	g := r.flood("10.0.9.9", 0)
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
	defer cancel()
	if err := g.Run(ctx, 2000, nil); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("receives", func() bool {
		return r.account(0).received >= before.received+g.Sent()
	})
	r.t.Logf("%+v, then %+v", before, r.account(g.Sent()))
}

// resources returns the daemon's descriptors and threads of work.
func (r *rig) resources() (descriptors, goroutines int) {
	r.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	metrics := r.metrics()
	for line := range strings.Lines(metrics) {
		if _, err := fmt.Sscanf(line, "go_goroutines %d", &goroutines); err == nil {
			break
		}
	}
	return len(entries), goroutines
}

// metrics scrapes the daemon, from its own namespace.
func (r *rig) metrics() string {
	r.t.Helper()
	var answer []byte
	err := r.lab.Sut().Do(func() error {
		c, err := net.Dial("tcp", r.scrape) // on this thread, as http's would not be
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /metrics HTTP/1.0\r\n\r\n"); err != nil {
			return err
		}
		answer, err = io.ReadAll(c)
		return err
	})
	if err != nil {
		r.t.Fatalf("scrape: %v", err)
	}
	return string(answer)
}
