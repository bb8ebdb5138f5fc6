package bgp_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/control/bgp"
)

// The capabilities by which an ordinary user's weir captures are not its speaker's; the one for a
// port below 1024 is, where a peer connects.
func TestAmbientCapabilities(t *testing.T) {
	if os.Getenv("WEIR_TEST_BARE") != "" {
		s := supervise(t, nil, bgp.Peer{
			Address: routerAt, Port: 1, AS: routerAS,
			Passive: os.Getenv("WEIR_TEST_BARE") == "passive",
		})
		until(t, s, 5*time.Second, "started", func(st *bgp.State) bool { return st.Child.PID > 0 })
		for _, who := range []string{"self", fmt.Sprint(s.State().Child.PID)} {
			status, _ := os.ReadFile("/proc/" + who + "/status")
			_, rest, _ := strings.Cut(string(status), "CapEff:\t")
			caps, _, _ := strings.Cut(rest, "\n")
			fmt.Println("caps", who, caps)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("to give a process capabilities takes root")
	}
	const raw, bind = "0000000000002000", "0000000000002400"
	f := func(kind, ours, theirs string, caps ...uintptr) {
		t.Helper()
		lines := undressed(t, kind, caps...)
		if len(lines) != 2 || !strings.HasSuffix(lines[0], ours) ||
			!strings.HasSuffix(lines[1], theirs) {
			t.Errorf("%s: %q, want %s and %s", kind, lines, ours, theirs)
		}
	}
	f("active", raw, "0000000000000000", unix.CAP_NET_RAW)
	f("active", bind, "0000000000000000", unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE)
	f("passive", bind, "0000000000000400", unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE)
}

// undressed runs this test as an ordinary user with capabilities, and returns what it says of them.
func undressed(t *testing.T, kind string, caps ...uintptr) (lines []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-bare")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "test")
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(copied, program, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(copied, "-test.run", "^TestAmbientCapabilities$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "WEIR_TEST_BARE="+kind)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: caps,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "caps ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
