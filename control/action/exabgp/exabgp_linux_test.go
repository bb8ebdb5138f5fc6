package exabgp

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/governor"
	"weir/tools/lab"
)

const birdConfig = `
router id 127.0.0.1;
protocol device {}
protocol bgp exabgp {
	local 127.0.0.1 as 65000;
	neighbor 127.0.0.2 as 65001;
	multihop; passive;
	ipv4 { import all; export none; };
	ipv6 { import all; export none; };
}
`

const exabgpConfig = `
process weir { run /bin/cat PIPE; encoder text; }
neighbor 127.0.0.1 {
	router-id 127.0.0.2; local-address 127.0.0.2; local-as 65001; peer-as 65000;
	family { ipv4 unicast; ipv6 unicast; }
	api { processes [ weir ]; }
}
`

// peers is an ExaBGP that reads a pipe, and the BIRD that it speaks to.
type peers struct {
	t   *testing.T
	lab *lab.Lab
	dir string
}

func newPeers(t *testing.T, path string) *peers {
	t.Helper()
	for _, program := range []string{"exabgp", "bird", "birdc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs Debian's exabgp and bird2:", err)
		}
	}
	p := &peers{t: t, lab: lab.New(t, lab.Options{}), dir: t.TempDir()}
	p.write("bird.conf", birdConfig)
	p.write("exabgp.conf", strings.ReplaceAll(exabgpConfig, "PIPE", path))
	p.start("bird", "-f", "-c", p.file("bird.conf"), "-s", p.file("bird.ctl"))
	return p
}

func (p *peers) file(name string) string { return filepath.Join(p.dir, name) }

func (p *peers) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// start starts a program in the lab, in a process group of its own, which ends with the test.
func (p *peers) start(program string, args ...string) *exec.Cmd {
	p.t.Helper()
	var log bytes.Buffer // read when the program has ended
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "exabgp.daemon.user=root", "exabgp.api.ack=false")
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // ExaBGP's cat outlives it, and holds its output
	if err := p.lab.Sut().Start(cmd); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if p.t.Failed() {
			p.t.Logf("%s: %s", program, log.String())
		}
	})
	return cmd
}

// routes returns what BIRD has: "prefix next-hop [communities]", in order.
func (p *peers) routes() (all []string) {
	out, _ := exec.Command("birdc", "-s", p.file("bird.ctl"), "show route all").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		prefix, _, isRoute := strings.Cut(line, " ")
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case isRoute && strings.Contains(prefix, "/"):
			all = append(all, prefix)
		case len(all) > 0 && slices.Contains([]string{
			"BGP.next_hop", "BGP.community", "BGP.large_community",
		}, key):
			all[len(all)-1] += " " + value
		}
	}
	slices.Sort(all)
	return all
}

func (p *peers) expect(what string, want ...string) {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if got = p.routes(); slices.Equal(got, want) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.t.Fatalf("%s: BIRD has %q, want %q", what, got, want)
}

// What is wanted arrives at a router with all that it carries, goes when it is no longer wanted,
// and survives an ExaBGP that is killed and whose reader lives on.
func TestExaBGP(t *testing.T) {
	path := fifo(t)
	peers := newPeers(t, path)
	first := peers.start("exabgp", peers.file("exabgp.conf"))
	p, _ := run(t, path, os.Stderr, time.Second)
	large := ban.Community{Large: true, A: 4200000001, B: 1, C: 666}
	p.Set([]governor.Approved{
		approved(t, "192.0.2.7", ban.Blackhole),
		approved(t, "192.0.2.8", ban.Blackhole, ban.NoExport, large),
		approved(t, "2001:db8::7", ban.Blackhole, ban.NoExport),
	})
	all := []string{
		"192.0.2.7/32 192.0.2.1 (65535,666)",
		"192.0.2.8/32 192.0.2.1 (65535,666) (65535,65281) (4200000001, 1, 666)",
		"2001:db8::7/128 100::1 (65535,666) (65535,65281)",
	}
	peers.expect("all", all...)
	p.Set([]governor.Approved{
		approved(t, "192.0.2.7", ban.Blackhole, ban.NoExport),
		approved(t, "2001:db8::7", ban.Blackhole, ban.NoExport),
	})
	some := []string{"192.0.2.7/32 192.0.2.1 (65535,666) (65535,65281)", all[2]}
	peers.expect("another community, and one less", some...)

	// Only ExaBGP is killed: its cat holds the pipe until it writes to nobody.
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	peers.expect("session lost")
	peers.start("exabgp", peers.file("exabgp.conf"))
	peers.expect("after a restart", some...)
	p.Set(nil)
	peers.expect("all withdrawn")
	until(t, p, "settled", settled)
	t.Logf("%+v", p.State())
}
