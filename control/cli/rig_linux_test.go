package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/control/api"
	"weir/tools/lab"
)

// asWeir makes this test binary behave as the program itself.
const asWeir = "WEIR_TEST_AS_WEIR"

func TestMain(m *testing.M) {
	// The speaker is started without weir's environment.
	if os.Getenv(asWeir) != "" || len(os.Args) == 2 && os.Args[1] == "speaker" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// patience bounds every wait for a weir to do what it is about to do.
const patience = 10 * time.Second

// rig is a weir in the namespace of a lab.
type rig struct {
	t      testing.TB
	lab    *lab.Lab
	dir    string // configuration, state, socket
	scrape string // address of its metrics
	cmd    *exec.Cmd
	client *api.Client
	log    *lockedBuffer
	ended  chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// labConfig is a configuration on mirror0; capture is the section's content.
func labConfig(dir, capture string) string {
	return fmt.Sprintf(`version: 1
networks: [10.0.0.0/16, "2001:db8::/48"]
allowlist: [10.0.250.0/24]
thresholds:
  incoming: {pps: 5k}
capture: {%s}
ban: {time: 30s, quiet: 2s}
memory: {tables: 512MiB}
state_dir: %s
api: {socket: %s}
metrics: {listen: "127.0.0.1:9108"}
`, capture, filepath.Join(dir, "state"), filepath.Join(dir, "api.sock"))
}

// newRig starts a weir that captures from mirror0 as the content of the section capture says; edits
// change the rest of its configuration.
func newRig(
	t testing.TB, l *lab.Lab, capture string, edits ...func(yaml, dir string) string,
) *rig {
	t.Helper()
	r := prepareRig(t, l, capture, edits...)
	r.start()
	return r
}

// prepareRig is newRig without the start.
func prepareRig(
	t testing.TB, l *lab.Lab, capture string, edits ...func(yaml, dir string) string,
) *rig {
	t.Helper()
	if strings.HasPrefix(capture, "afpacket") {
		if err := l.SetPolled(0); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "weir") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{t: t, lab: l, dir: dir, client: api.Dial(filepath.Join(dir, "api.sock"))}
	yaml := labConfig(dir, capture)
	for _, edit := range edits {
		yaml = edit(yaml, dir)
	}
	_, rest, _ := strings.Cut(yaml, `metrics: {listen: "`)
	r.scrape, _, _ = strings.Cut(rest, `"`)
	r.configure(yaml)
	r.log = &lockedBuffer{}
	t.Cleanup(func() {
		if r.cmd != nil {
			_ = r.stop(syscall.SIGKILL)
		}
		if strings.Contains(r.log.String(), "DATA RACE") {
			t.Error("weir has a data race")
		}
		if t.Failed() {
			t.Logf("weir said:\n%s", r.log)
		}
	})
	return r
}

func (r *rig) configure(yaml string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "weir.yaml"), []byte(yaml), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// command returns a weir with those arguments.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asWeir+"=1")
	return cmd
}

// start starts the daemon and waits until it answers.
func (r *rig) start() {
	r.t.Helper()
	r.launch()
	r.answers()
}

// answers waits until the daemon answers.
func (r *rig) answers() {
	r.t.Helper()
	r.eventually("answers", func() bool {
		select {
		case err := <-r.ended:
			r.cmd = nil
			r.t.Fatalf("weir ended: %v\n%s", err, r.log)
		default:
		}
		s, err := r.client.Status(r.t.Context())
		return err == nil && !s.Traffic.Time.IsZero() && s.Traffic.Time.Unix() > 0
	})
}

// launch starts the daemon.
func (r *rig) launch() {
	r.t.Helper()
	r.log = &lockedBuffer{}
	r.cmd = r.command("run", "-c", filepath.Join(r.dir, "weir.yaml"))
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.lab.Sut().Start(r.cmd); err != nil {
		r.t.Fatal(err)
	}
	ended, cmd := make(chan error, 1), r.cmd
	r.ended = ended
	go func() { ended <- cmd.Wait() }()
}

// stop sends a signal and waits for the daemon's end.
func (r *rig) stop(signal os.Signal) error {
	r.t.Helper()
	_ = r.cmd.Process.Signal(signal)
	r.cmd = nil
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		r.t.Fatalf("weir does not end\n%s", r.log)
		return nil
	}
}

func (r *rig) eventually(what string, is func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("never %s\n%s", what, r.log)
		}
	}
}

func (r *rig) status() api.Status {
	r.t.Helper()
	s, err := r.client.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// weir runs a command against the daemon and returns what it printed.
func (r *rig) weir(args ...string) string {
	r.t.Helper()
	var out, errOut bytes.Buffer
	args = append(args, "--socket", filepath.Join(r.dir, "api.sock"))
	if status := Main(args, &out, &errOut); status != exitOK {
		r.t.Fatalf("weir %s: status %d, %s", strings.Join(args, " "), status, &errOut)
	}
	return out.String()
}

// flood returns a generator of packets to dst from all over, sent on a CPU.
func (r *rig) flood(dst string, cpu int) *lab.Generator {
	r.t.Helper()
	to := netip.MustParseAddr(dst)
	from := netip.MustParseAddr("198.18.0.1")
	if to.Is6() {
		from = netip.MustParseAddr("2001:db8:ffff::1")
	}
	frame := lab.UDPFrame(from, to, 53, 4444, 90)
	g, err := r.lab.Generator(lab.GeneratorConfig{
		Frame: frame, Patches: lab.SourcePatches(frame), CPU: cpu,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = g.Close() })
	return g
}

// background sends packets to several hosts until the test ends.
func (r *rig) background(pps float64) {
	g := r.flood("10.0.7.7", 1)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Run(ctx, pps, nil)
	}()
	r.t.Cleanup(func() { cancel(); <-done })
}

// attack returns the attack on target, if weir knows of one.
func (r *rig) attack(target, state string) (api.Attack, bool) {
	l, err := r.client.Attacks(r.t.Context(), state)
	if err != nil {
		return api.Attack{}, false
	}
	for _, a := range l.Attacks {
		if a.Target == target {
			return a, true
		}
	}
	return api.Attack{}, false
}
