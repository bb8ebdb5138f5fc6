package facts

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/control/config"
	"weir/control/doctor"
	"weir/control/host"
	"weir/ring/afxdp"
	"weir/tools/lab"
)

// inSut looks at interfaces from within the lab's sut.
func inSut(t *testing.T, l *lab.Lab, names ...string) (out []doctor.NIC) {
	t.Helper()
	err := l.Sut().Do(func() error {
		out = interfaces(names, &doctor.Plan{Mirrors: []doctor.Mirror{{Interface: "mirror0"}}})
		return nil
	})
	if err != nil || len(out) == 0 {
		t.Fatal(out, err)
	}
	return out
}

func TestInterfaces(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	n := inSut(t, l)[0]
	if n.Name != "mirror0" || n.Driver != "veth" || n.RXQueues != 2 || n.Err != "" || n.Named ||
		n.Attached != (doctor.Attached{Known: true}) {
		t.Errorf("%+v", n)
	}
	n = inSut(t, l, "nosuch0")[0]
	if n.Name != "nosuch0" || !strings.Contains(n.Err, "no such interface") || !n.Named {
		t.Errorf("%+v", n)
	}
}

// TestProve binds, says what was granted, and leaves nothing behind.
func TestProve(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	n := inSut(t, l, "mirror0")[0]
	do := func(f func() error) {
		t.Helper()
		if err := l.Sut().Do(f); err != nil {
			t.Fatal(err)
		}
	}
	plan := &doctor.Plan{Mirrors: []doctor.Mirror{{Interface: "mirror0", Queues: []int{1}}}}
	do(func() error { prove(&n, plan); return nil })
	if p := n.Proof; p.Mode != "copy" || p.Queue != 1 || p.Err != "" || p.Reason == "" {
		t.Errorf("%+v", p)
	}
	var m *afxdp.Mirror
	do(func() (err error) {
		m, err = afxdp.Open(afxdp.Config{
			Interface: "mirror0", Clock: func() int64 { return time.Now().UnixNano() },
		})
		return err
	})
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	n = inSut(t, l, "mirror0")[0]
	if n.Attached.Program == 0 || n.Attached.Name != "weir_mirror" {
		t.Errorf("%+v", n.Attached)
	}
	if prove(&n, plan); !strings.Contains(n.Proof.Skipped, "weir holds") {
		t.Errorf("%+v", n.Proof)
	}
	n.Attached.Name = ""
	do(func() error { prove(&n, plan); return nil })
	if n.Proof.Err == "" {
		t.Errorf("%+v: bound twice", n.Proof)
	}
}

func TestConnect(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(listener.Addr().String())
	if _, why := connect(t.Context(), at); why != "" {
		t.Error(why)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, why := connect(t.Context(), at); !strings.Contains(why, "refuses") {
		t.Error(why)
	}
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, why := connect(over, at); !strings.Contains(why, "no answer within 1s") {
		t.Error(why)
	}
}

func TestOwners(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	at := netip.MustParseAddrPort(udp.LocalAddr().String())
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := netip.MustParseAddrPort(free.LocalAddr().String())
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	f := &doctor.Facts{Host: host.Read("/")}
	f.Plan.Ports = []doctor.Port{
		{Listen: netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())}, {Listen: other},
	}
	f.Plan.Listens = []doctor.Listen{{At: at}} // of TCP: not the same
	owners(f)
	want := doctor.Owner{Program: strings.TrimSpace(string(name))}
	if got := f.Plan.Ports[0].Owner; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	none := doctor.Owner{}
	if f.Plan.Ports[1].Owner != none || f.Plan.Listens[0].Owner != none {
		t.Errorf("%+v", f.Plan)
	}

	// the same process, once it answers where a weir would
	f.Plan.Socket = filepath.Join(t.TempDir(), "s")
	api, err := net.Listen("unix", f.Plan.Socket)
	if err != nil {
		t.Fatal(err)
	}
	owners(f)
	if want.Ours = true; f.Plan.Ports[0].Owner != want {
		t.Errorf("%+v, want %+v", f.Plan.Ports[0].Owner, want)
	}
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	owners(f)
	if want.Ours = false; f.Plan.Ports[0].Owner != want {
		t.Errorf("%+v, want %+v", f.Plan.Ports[0].Owner, want)
	}
}

// TestFind: a weir's children are weir's, whatever they are called; a stranger called weir is not,
// and among several with a port he is the one to tell of.
func TestFind(t *testing.T) {
	proc := t.TempDir()
	process := func(pid, parent, comm string, inodes ...string) {
		t.Helper()
		dir := filepath.Join(proc, pid)
		if err := os.MkdirAll(dir+"/fd", 0o700); err != nil {
			t.Fatal(err)
		}
		for i, inode := range inodes {
			link := filepath.Join(dir, "fd", strconv.Itoa(i))
			if err := os.Symlink("socket:["+inode+"]", link); err != nil {
				t.Fatal(err)
			}
		}
		status := "Name:\t" + comm + "\nPid:\t" + pid + "\nPPid:\t" + parent + "\nUid:\t0\n"
		for name, text := range map[string]string{"comm": comm + "\n", "status": status} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	process("100", "1", "weir.old", "1", "2", "7")
	process("101", "100", "speaker", "3")
	process("200", "1", "weir", "4", "7")
	process("300", "200", "nfcapd", "5")
	f := func(weir int, inode uint64, want doctor.Owner) {
		t.Helper()
		got := doctor.Owner{Program: "?"}
		find(proc, map[uint64][]*doctor.Owner{inode: {&got}}, weir)
		if got != want {
			t.Errorf("inode %d beside %d: %+v, want %+v", inode, weir, got, want)
		}
	}
	f(100, 1, doctor.Owner{Program: "weir.old", Ours: true})
	f(100, 3, doctor.Owner{Program: "speaker", Ours: true})
	f(100, 4, doctor.Owner{Program: "weir"})
	f(100, 5, doctor.Owner{Program: "nfcapd"})
	f(100, 6, doctor.Owner{Program: "?"})
	f(100, 7, doctor.Owner{Program: "weir"})
	f(0, 1, doctor.Owner{Program: "weir.old"})
	f(0, 7, doctor.Owner{Program: "weir.old"})
}

// TestListener_Failure: nobody where nobody listens.
func TestListener_Failure(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "none"), "/dev/null"} {
		if pid := listener(path); pid != 0 {
			t.Errorf("%q: process %d", path, pid)
		}
	}
}

func TestFill(t *testing.T) {
	c, findings := config.Parse("weir.yaml", []byte(`
version: 1
mode: enforce
networks: [10.0.0.0/24]
capture:
  afxdp: [{interface: eth1, cores: [2, 3], zerocopy: required}]
  afpacket: [{interface: eth2}]
  flows: [{listen: ":2055", cores: [4], receive_buffer: 64KiB}]
bgp:
  local: {as: 65001, router_id: 192.0.2.1}
  peers:
    - {address: 192.0.2.254, as: 65001}
    - {address: "2001:db8::1", as: 65001, passive: true}
    - {address: 192.0.2.253, as: 65001, password_file: /etc/weir/secret}
`))
	if c == nil {
		t.Fatal(findings)
	}
	p := doctor.Plan{}
	fill(&p, c)
	if len(p.Mirrors) != 2 || !p.Mirrors[0].AFXDP || p.Mirrors[0].ZeroCopy != "required" ||
		len(p.Mirrors[0].Cores) != 2 || p.Mirrors[1].AFXDP || !p.Enforce {
		t.Errorf("%+v", p)
	}
	if len(p.Ports) != 1 || p.Ports[0].Listen.String() != "[::]:2055" ||
		p.Ports[0].Buffer != 64<<10 || p.Ports[0].Granted < 64<<10 {
		t.Errorf("%+v", p.Ports)
	}
	if len(p.Listens) != 2 || p.Listens[0].At.String() != "127.0.0.1:9108" ||
		p.Listens[1].At.Port() != 179 {
		t.Errorf("%+v", p.Listens)
	}
	if len(p.Peers) != 3 || p.Peers[0].Skipped != "" || p.Peers[1].Skipped == "" ||
		p.Peers[2].Skipped == "" {
		t.Errorf("%+v", p.Peers)
	}
}

func TestLoadPlan(t *testing.T) {
	f := func(o Options, sound bool, path string, errors int, why bool) {
		t.Helper()
		p := doctor.Plan{}
		c := loadPlan(&p, o)
		first := ""
		if errors > 0 {
			first = "4:1: x: unknown key"
		}
		if (c != nil) != sound || p.Path != path || p.Errors != errors || (p.Err != "") != why ||
			p.First != first {
			t.Errorf("%+v: %+v", o, p)
		}
	}
	dir := t.TempDir()
	good, bad, none := dir+"/good", dir+"/bad", dir+"/none"
	for path, text := range map[string]string{
		good: "version: 1\nnetworks: [10.0.0.0/24]\nmemory: {tables: 64MiB}\n",
		bad:  "version: 1\nnetworks: [10.0.0.0/24]\nmemory: {tables: 64MiB}\nx: 1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f(Options{Config: good}, true, good, 0, false)
	f(Options{Config: bad}, false, bad, 1, false)
	f(Options{Config: none}, false, none, 0, true)
	f(Options{Config: none, Optional: true}, false, "", 0, false)
	f(Options{}, false, "", 0, false)
}
