package cli

import (
	"context"
	"fmt"
	"io"
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

	"weir/control/bgp/bgptest"
	"weir/tools/lab"
	"weir/tools/lab/router"
)

// listen opens a listener at a router's address, in the namespace that sends.
func listen(t *testing.T, l *lab.Lab, address string) net.Listener {
	t.Helper()
	a := netip.MustParseAddr(address)
	if err := l.AddAddress(lab.Gen, 1, netip.PrefixFrom(a, 24)); err != nil {
		t.Fatal(err)
	}
	var listener net.Listener
	err := l.Gen().Do(func() (err error) {
		listener, err = net.Listen("tcp", netip.AddrPortFrom(a, 179).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// nonsense is what one of three peers says, while another says nothing at all.
func nonsense() [][]byte {
	update := bgptest.EarlyAS4Path(65003)
	messages := [][]byte{bgptest.UnknownType(), update}
	for i := 19; i < len(update); i += 3 {
		m := append([]byte{}, update...)
		m[i] ^= 0xff
		messages = append(messages, m)
	}
	return messages
}

// TestLabNonsense has a router say what was seen to end a GoBGP, and another that never answers,
// and kills the speaker besides, under traffic: no packet is lost, the routes of the third router
// stay, a new one is there within two seconds, and no tick is late.
func TestLabNonsense(t *testing.T) {
	l := routed(t)
	o, _ := peering(false, 120)
	peer := router.BIRD(t, l.Gen(), o)
	raw := &bgptest.Raw{
		AS: 65003, RouterID: netip.MustParseAddr("172.31.0.3"),
		Listener: listen(t, l, "172.31.0.3"),
	}
	go swallow(listen(t, l, "172.31.0.4"))
	r := newRig(t, l, captures()["afxdp"], enforcing(time.Minute, `bgp:
  local: {as: 65001, router_id: 172.31.0.1}
  peers:
    - {address: 172.31.0.2, as: 65002}
    - {address: 172.31.0.3, as: 65003}
    - {address: 172.31.0.4, as: 65004}
governor: {max_new_per_minute: 1000, max_blackholes: 1000}`))
	r.eventually("established", func() bool {
		return r.status().Mitigation.Peers[0].State == "established"
	})
	g := r.flood("10.0.9.1", 0)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- g.Run(ctx, 4_000, nil) }() // below the limit

	host := netip.MustParseAddr("10.0.8.1")
	announce := func(what string) {
		t.Helper()
		begin := time.Now()
		if o, err := r.client.Ban(t.Context(), minuteBan(host)); err != nil || !o.OK {
			t.Fatalf("%s: %+v, %v", what, o, err)
		}
		for p := netip.PrefixFrom(host, 32); ; time.Sleep(5 * time.Millisecond) {
			if _, ok := peer.Has(p); ok {
				break
			} else if time.Since(begin) > 2*time.Second {
				t.Fatalf("after %s, %s is not announced within 2 s\n%s", what, p, r.log)
			}
		}
		host = host.Next()
	}
	announce("nothing")
	stop := watchRoute(t, peer, netip.MustParsePrefix("10.0.8.1/32"))
	for i, message := range nonsense() {
		s, err := raw.Establish()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(message); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Ended(100 * time.Millisecond) // it need not: an UPDATE is not looked at
		s.Close()
		announce(fmt.Sprintf("message %d", i))
	}
	for range 3 {
		_ = syscall.Kill(r.status().Mitigation.Speaker.PID, syscall.SIGKILL)
		announce("a kill")
		time.Sleep(300 * time.Millisecond)
	}
	stop()
	cancel()
	if err := <-sent; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	r.settle(g.Sent()).holds(t)
	s := r.status()
	if p := s.Mitigation.Peers[2]; p.State == "established" || p.State == "idle" {
		t.Errorf("the peer that never answers: %+v", p)
	}
	if !strings.Contains(strings.Join(s.Problems, "\n"), "BGP peer 172.31.0.4 is") {
		t.Errorf("problems: %q", s.Problems)
	}
	if s.Loop.Late != 0 || s.Loop.TickMillisMax > 300 {
		t.Errorf("the loop suffers: %+v", s.Loop)
	}
}

// swallow accepts and never answers.
func swallow(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
}

// watchRoute fails the test if p leaves the router before stop is called.
func watchRoute(t *testing.T, peer *router.Router, p netip.Prefix) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if _, ok := peer.Has(p); !ok {
				t.Errorf("%s has left the router", p)
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

const labExaBGP = `
process weir { run /bin/cat PIPE; encoder text; }
neighbor 172.31.0.2 {
	router-id 172.31.0.1; local-address 172.31.0.1; local-as 65001; peer-as 65002;
	family { ipv4 unicast; ipv6 unicast; }
	api { processes [ weir ]; }
}
`

// A flood becomes a route through ExaBGP too; a pipe that nobody reads delays nothing, and shows.
func TestLabExaBGP(t *testing.T) {
	if _, err := exec.LookPath("exabgp"); err != nil {
		t.Skip("no exabgp here:", err)
	}
	l := routed(t)
	o, _ := peering(false, 0)
	peer := router.BIRD(t, l.Gen(), o)
	r := newRig(t, l, captures()["afxdp"], enforcing(3*time.Second,
		"actions: {exabgp: {pipe: DIR/pipe}}\n"+
			`bgp: {blackhole: {communities: ["65535:666", no-export, "4200000001:1:666"]}}`))
	pipe := filepath.Join(r.dir, "pipe")
	r.weir("ban", "10.0.5.99", "--reason", "nobody reads", "--ttl", "10m")
	r.eventually("says that nobody reads", func() bool {
		s := r.status()
		return s.Mitigation.ExaBGP.Error != "" && s.Mitigation.Standing == 0 &&
			strings.Contains(strings.Join(s.Problems, "\n"), "ExaBGP")
	})
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(r.dir, "exabgp.conf")
	text := strings.ReplaceAll(labExaBGP, "PIPE", pipe)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("exabgp", config)
	cmd.Env = append(os.Environ(), "exabgp.daemon.user=root", "exabgp.api.ack=false")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.Sut().Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	r.eventually("has what was asked for before", func() bool {
		_, ok := peer.Has(netip.MustParsePrefix("10.0.5.99/32"))
		return ok
	})
	r.routeTo(peer, "10.0.5.1")
	r.routeTo(peer, "2001:db8:0:5::1")
	r.weir("unban", "10.0.5.99", "--reason", "test over")
	r.eventually("empty", func() bool {
		routes, err := peer.Routes()
		return err == nil && len(routes) == 0
	})
	if s := r.status(); s.Loop.Late != 0 {
		t.Errorf("late flips: %+v", s.Loop)
	}
}

// A reload that adds a network lets it be announced, one that takes it away withdraws, and a change
// of mode is a change of what stands; a journal of mode enforce is not announced in observe.
func TestLabReloadEnforce(t *testing.T) {
	l := routed(t)
	o, section := peering(false, 120)
	peer := router.BIRD(t, l.Gen(), o)
	r := newRig(t, l, captures()["afxdp"], enforcing(time.Minute, section))
	yaml, err := os.ReadFile(filepath.Join(r.dir, "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	base := string(yaml)
	const old, more = "networks: [10.0.0.0/16", "networks: [10.0.0.0/16, 192.168.7.0/24"
	reload := func(yaml string) {
		r.configure(yaml)
		r.weir("reload")
	}
	in := func(host string, want bool) {
		t.Helper()
		p := netip.PrefixFrom(netip.MustParseAddr(host), 32)
		r.eventually(fmt.Sprintf("%s in the router: %v", host, want), func() bool {
			_, has := peer.Has(p)
			return has == want
		})
	}
	ban := func(host string) string {
		t.Helper()
		o, err := r.client.Ban(t.Context(), minuteBan(netip.MustParseAddr(host)))
		if err != nil {
			t.Fatal(err)
		}
		return o.Refusal
	}
	if got := ban("192.168.7.1") + ban("10.0.5.1"); got != "outside_networks" {
		t.Errorf("before: %s", got)
	}
	in("10.0.5.1", true)
	stop := watchRoute(t, peer, netip.MustParsePrefix("10.0.5.1/32"))
	reload(strings.Replace(base, old, more, 1))
	if got := ban("192.168.7.1"); got != "" {
		t.Errorf("a new network: %s", got)
	}
	in("192.168.7.1", true)
	stop()
	reload(base)
	in("192.168.7.1", false)
	in("10.0.5.1", true)
	reload(strings.Replace(base, "mode: enforce", "mode: observe", 1))
	in("10.0.5.1", false)
	reload(base)
	if got := ban("10.0.5.2"); got != "" {
		t.Errorf("enforce again: %s", got)
	}
	in("10.0.5.2", true)
	_ = r.stop(syscall.SIGKILL)
	r.configure(strings.Replace(base, "mode: enforce", "mode: observe", 1))
	r.start()
	in("10.0.5.2", false)
}

// The kill file works when weir itself does not: a weir that is stopped in its tracks still has a
// speaker that looks. A freeze takes nothing back.
func TestLabKillFileRouter(t *testing.T) {
	l := routed(t)
	o, section := peering(false, 120)
	peer := router.BIRD(t, l.Gen(), o)
	r := newRig(t, l, captures()["afxdp"], enforcing(time.Minute, section),
		func(yaml, dir string) string { // nobody, which the speaker is, has to get there
			if err := os.Chmod(dir, 0o711); err != nil {
				t.Fatal(err)
			}
			return yaml
		})
	p := netip.MustParsePrefix("10.0.5.1/32")
	in := func(what string, want bool) {
		t.Helper()
		r.eventually(what, func() bool { _, has := peer.Has(p); return has == want })
	}
	ban := func() {
		t.Helper()
		r.weir("ban", "10.0.5.1", "--reason", "test", "--ttl", "10m")
		in("banned", true)
	}
	ban()
	stop := watchRoute(t, peer, p)
	r.weir("freeze")
	time.Sleep(time.Second)
	stop()
	r.weir("withdraw-all", "--expect", "1")
	in("withdrawn", false)
	r.weir("freeze", "--off")
	ban()
	r.weir("withdraw-all", "--expect", "1") // as many as there are now, not at the last tick
	in("withdrawn at once", false)
	r.weir("freeze", "--off")
	ban()

	weir := r.cmd.Process
	if err := weir.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	kill := filepath.Join(r.dir, "state", "kill")
	if err := os.WriteFile(kill, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	in("withdrawn though weir stands still", false)
	t.Logf("withdrawn %v after the file was made", time.Since(begin).Round(time.Millisecond))
	if err := weir.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.eventually("knows", func() bool {
		s, err := r.client.Status(t.Context())
		return err == nil && s.Mitigation.Killed && s.Mitigation.Routes == 0
	})
}

// The speaker keeps off the workers' cores, as all but the workers do.
func TestLabSpeakerKeepsOff(t *testing.T) {
	core := workersCore(t)
	_, section := peering(false, 120)
	r := newRig(t, routed(t), fmt.Sprintf("afxdp: [{interface: mirror0, cores: [%d]}]", core),
		enforcing(time.Minute, section))
	pid := r.status().Mitigation.Speaker.PID
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
	list, _, _ := strings.Cut(rest, "\n")
	if cores := coreList(t, list); len(cores) == 0 || slices.Contains(cores, core) {
		t.Errorf("the speaker may run on %s, the worker has %d", list, core)
	}
}
