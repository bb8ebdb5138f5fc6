package zerocopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "weir/control/cli" // what the guest is made of: go test remembers no result of another
)

// proofPatience bounds the proof: on an idle machine it takes a tenth of that.
const proofPatience = 5 * time.Minute

// cannot skips the test for want of something, except where nothing may be skipped.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("with CI=true this is a failure: %s", why)
	}
	t.Skip(why)
}

// TestProof boots the machine, and holds what weir shows there against what it has to be.
func TestProof(t *testing.T) {
	if testing.Short() {
		t.Skip("a machine is not booted in short runs")
	}
	if _, err := exec.LookPath(emulator); err != nil {
		cannot(t, emulator+" is missing; the package is qemu-system-x86")
	}
	ctx, cancel := context.WithTimeout(t.Context(), proofPatience)
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil { // no home
		cache = filepath.Join("..", "..", "dist")
	}
	k, err := FindKernel(ctx, filepath.Join(cache, "weir", "kernels"))
	if errors.Is(err, ErrNoKernel) {
		cannot(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	queues := 2
	if os.Geteuid() != 0 {
		queues = 0
		t.Log("the card with two queues is left out: its tap needs root")
	}
	o := Options{Kernel: k, Guest: buildGuest(ctx, t), Dir: workDir(t), Queues: queues}
	begin := time.Now()
	o.Tell = func(m *Message) {
		at := fmt.Sprintf("%5.1f s", time.Since(begin).Seconds())
		if m.Result != nil {
			t.Log(at, m.Result)
		} else {
			t.Log(at, m.Kind, m.Text)
		}
	}
	shown, err := Prove(ctx, o)
	if patched(err) {
		t.Log("the emulated kernel died of its own patching; once more:", err)
		o.Dir, begin = workDir(t), time.Now()
		shown, err = Prove(ctx, o)
	}
	if err != nil {
		t.Error(err)
	}
	for _, fault := range Check(shown, queues) {
		t.Error(fault)
	}
}

// patched reports whether the kernel's console, which err quotes, says that it died of a breakpoint
// in the jump to XDP programs: it rewrites that while a program is taken off under traffic, and
// under software emulation another core may still run what stood there for a moment.
func patched(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Oops: int3") &&
		strings.Contains(err.Error(), "bpf_dispatcher_xdp_func")
}

// buildGuest builds the guest. It looks at the sources itself, too, so that go test does not
// remember the result of others.
func buildGuest(ctx context.Context, t *testing.T) string {
	t.Helper()
	sources, err := filepath.Glob("guest/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "guest")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", file, "./guest")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the guest: %v\n%s", err, out)
	}
	return file
}

// workDir returns a folder with a path short enough for sockets, whose logs stay after a failure.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-zc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = os.Remove(filepath.Join(dir, "initramfs"))
			t.Log("logs are in", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
