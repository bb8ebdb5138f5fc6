package bgp_test

import (
	"fmt"
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
	"weir/tools/lab"
)

// bird is BIRD at one end of a link, where the speaker is at the other.
type bird struct {
	t       testing.TB
	lab     *lab.Lab
	dir     string
	cmd     *exec.Cmd
	control string
}

// The ends of the link.
const (
	bird4, ours4 = "10.99.0.1", "10.99.0.2"
	bird6, ours6 = "fd99::1", "fd99::2"
)

// newBird starts BIRD with the text of one protocol bgp, and channels for both families.
func newBird(t testing.TB, protocol string) *bird {
	t.Helper()
	if _, err := exec.LookPath("bird"); err != nil {
		t.Skip("no BIRD in this system")
	}
	l := lab.New(t, lab.Options{})
	for side, addrs := range map[lab.Side][]string{
		lab.Gen: {bird4 + "/24", bird6 + "/64"}, lab.Sut: {ours4 + "/24", ours6 + "/64"},
	} {
		for _, a := range addrs {
			if err := l.AddAddress(side, 0, netip.MustParsePrefix(a)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := &bird{t: t, lab: l, dir: t.TempDir()}
	for _, ns := range []string{l.Gen().Name, l.Sut().Name} {
		b.ip("-n", ns, "link", "set", "lo", "up")
	}
	b.control = filepath.Join(b.dir, "bird.ctl")
	conf := fmt.Sprintf(`
router id 10.99.0.1;
log "%s/log" all;
protocol device {}
protocol bgp weir {
	%s
	ipv4 { import all; export none; gateway recursive; };
	ipv6 { import all; export none; gateway recursive; };
}
`, b.dir, protocol)
	if err := os.WriteFile(filepath.Join(b.dir, "bird.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	return b
}

func (b *bird) ip(args ...string) {
	b.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		b.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

func (b *bird) start() {
	b.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", b.lab.Gen().Name, "bird", "-f",
		"-c", filepath.Join(b.dir, "bird.conf"), "-s", b.control,
		"-P", filepath.Join(b.dir, "pid"))
	cmd.Stderr = b.t.Output()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.cmd = cmd
	b.t.Cleanup(b.stop)
}

func (b *bird) stop() {
	if b.cmd != nil {
		_ = b.cmd.Process.Kill() // both fail where it has ended
		_ = b.cmd.Wait()
		b.cmd = nil
	}
}

func (b *bird) show(what ...string) string {
	out, err := exec.Command("birdc", append([]string{"-r", "-s", b.control, "show"},
		what...)...).CombinedOutput()
	if err != nil {
		return "birdc: " + err.Error()
	}
	return string(out)
}

// prefixes returns what BIRD holds.
func (b *bird) prefixes() []netip.Prefix {
	var found []netip.Prefix
	for line := range strings.Lines(b.show("route", "protocol", "weir")) {
		word, _, _ := strings.Cut(line, " ")
		if p, err := netip.ParsePrefix(word); err == nil {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, netip.Prefix.Compare)
	return found
}

func (b *bird) holds(d time.Duration, addrs ...string) {
	b.t.Helper()
	want := hosts(addrs...)
	for end := time.Now().Add(d); !slices.Equal(b.prefixes(), want); {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			b.t.Fatalf("BIRD holds %v, not %v within %v\n%s%s", b.prefixes(), want, d,
				b.show("protocols", "all", "weir"), log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// inside makes the child run at the speaker's end of the link.
func (b *bird) inside(c *bgp.Config) {
	c.Command = append([]string{"ip", "netns", "exec", b.lab.Sut().Name}, c.Command...)
}

const birdProtocol = "local 10.99.0.1 as 65002; neighbor 10.99.0.2 as 65001;" +
	" graceful restart on; passive on;"

func birdPeer() bgp.Peer {
	return bgp.Peer{
		Address: netip.MustParseAddr(bird4), AS: routerAS, GracefulRestart: 120 * time.Second,
	}
}

func TestBIRDTakesEverything(t *testing.T) {
	b := newBird(t, birdProtocol)
	s := supervise(t, b.inside, birdPeer())
	start := time.Now()
	s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
	b.holds(5*time.Second, "203.0.113.7", "2001:db8::7")
	t.Log("after", time.Since(start))
	all := b.show("route", "all", "protocol", "weir")
	for _, want := range []string{
		"(65535,666) (65535,65281) (65001,100)", "(4200000001, 1, 666)",
		"BGP.next_hop: 192.0.2.1", "BGP.next_hop: 100::1", "BGP.as_path: 65001",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	s.Set(approve(t, time.Hour, "2001:db8::7"))
	b.holds(time.Second, "2001:db8::7")
}

func TestBIRDKeepsRoutesWhileTheChildIsReplaced(t *testing.T) {
	b := newBird(t, birdProtocol)
	s := supervise(t, b.inside, birdPeer())
	var took []time.Duration
	for n := range 10 {
		s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
		b.holds(5*time.Second, "203.0.113.7", "2001:db8::7")
		standing := netip.MustParsePrefix("203.0.113.7/32")
		until(t, s, 5*time.Second, "standing", func(st *bgp.State) bool {
			return st.Standing(standing) == 1
		})
		start := time.Now()
		if err := syscall.Kill(s.State().Child.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// One that is no longer wanted goes with the End-of-RIB, the others never leave.
		s.Set(approve(t, time.Hour, "203.0.113.7"))
		for st := s.State(); st.Child.Restarts != uint64(n+1) || st.Standing(standing) != 1; {
			if !slices.Contains(b.prefixes(), standing) {
				t.Fatalf("BIRD lost the route %v after the kill", time.Since(start))
			}
			if time.Since(start) > 20*time.Second {
				t.Fatalf("not back: %+v", *st)
			}
			st = s.State()
		}
		took = append(took, time.Since(start))
		b.holds(time.Second, "203.0.113.7")
		if n == 2 {
			break // from here on it is the pauses between children that are measured
		}
	}
	slices.Sort(took)
	t.Log("times from kill -9 to standing again, sorted:", took)
	if took[len(took)/2] > back {
		t.Error("too slow")
	}
}

func TestBIRDThatRestartsHasTheRoutesSoon(t *testing.T) {
	b := newBird(t, birdProtocol)
	s := supervise(t, b.inside, birdPeer())
	s.Set(approve(t, time.Hour, "203.0.113.7"))
	b.holds(5*time.Second, "203.0.113.7")
	for _, away := range []time.Duration{0, 3 * time.Second} {
		b.stop()
		time.Sleep(away)
		start := time.Now()
		b.start()
		b.holds(5*time.Second, "203.0.113.7")
		t.Logf("away for %v: %v after it came back", away, time.Since(start))
	}
}

// TestBIRDTransports are the ways in which a session may be protected and carried.
func TestBIRDTransports(t *testing.T) {
	right := func(p *bgp.Peer) { p.Password = "as long as it is right" }
	wrong := func(p *bgp.Peer) { p.Password = "wrong" }
	passive := func(p *bgp.Peer) { p.Passive = true }
	six := func(p *bgp.Peer) { p.Address = netip.MustParseAddr(bird6) }
	const (
		password = ` password "as long as it is right";`
		waits    = "local 10.99.0.1 as 65002; neighbor 10.99.0.2 as 65001; passive on;"
		dials    = "local 10.99.0.1 as 65002; neighbor 10.99.0.2 as 65001;" +
			" connect delay time 1; connect retry time 1; error wait time 1, 1;"
		waits6 = "local fd99::1 as 65002; neighbor fd99::2 as 65001; passive on;"
		dials6 = "local fd99::1 as 65002; neighbor fd99::2 as 65001;" +
			" connect delay time 1; connect retry time 1; error wait time 1, 1;"
	)
	for _, c := range []struct {
		name, protocol string
		up             bool
		change         []func(*bgp.Peer)
	}{
		{"plain", waits, true, nil},
		{"passive", dials, true, []func(*bgp.Peer){passive}},
		{"MD5", waits + password, true, []func(*bgp.Peer){right}},
		{"MD5 wrong", waits + password, false, []func(*bgp.Peer){wrong}},
		{"MD5 missing", waits + password, false, nil},
		{"passive MD5", dials + password, true, []func(*bgp.Peer){passive, right}},
		{"passive MD5 wrong", dials + password, false, []func(*bgp.Peer){passive, wrong}},
		{"passive MD5 missing", dials, false, []func(*bgp.Peer){passive, right}},
		{"IPv6", waits6, true, []func(*bgp.Peer){six}},
		{"IPv6 MD5", waits6 + password, true, []func(*bgp.Peer){six, right}},
		{"IPv6 passive MD5", dials6 + password, true, []func(*bgp.Peer){six, passive, right}},
		{"IPv6 passive MD5 wrong", dials6 + password, false,
			[]func(*bgp.Peer){six, passive, wrong}},
		{"GTSM", waits + " ttl security on;", true,
			[]func(*bgp.Peer){func(p *bgp.Peer) { p.TTLSecurity = 1 }}},
		{"GTSM passive", dials + " ttl security on;", true,
			[]func(*bgp.Peer){passive, func(p *bgp.Peer) { p.TTLSecurity = 1 }}},
		{"GTSM IPv6", waits6 + " ttl security on;", true,
			[]func(*bgp.Peer){six, func(p *bgp.Peer) { p.TTLSecurity = 1 }}},
		{"GTSM of one side", waits + " ttl security off;", false,
			[]func(*bgp.Peer){func(p *bgp.Peer) { p.TTLSecurity = 1 }}},
		{"multihop", waits + " multihop 5;", true,
			[]func(*bgp.Peer){func(p *bgp.Peer) { p.Multihop = 5 }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBird(t, c.protocol)
			p := birdPeer()
			for _, change := range c.change {
				change(&p)
			}
			s := supervise(t, b.inside, p)
			s.Set(approve(t, time.Hour, "203.0.113.7"))
			if c.up {
				b.holds(8*time.Second, "203.0.113.7")
				return
			}
			time.Sleep(4 * time.Second)
			if st := s.State(); st.Established > 0 || len(b.prefixes()) > 0 {
				t.Errorf("a session was made: %+v", st.Peers)
			}
		})
	}
}
