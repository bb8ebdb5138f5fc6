package zerocopy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestProof(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 85*time.Second)
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	k, err := FindKernel(ctx, filepath.Join(cache, "weir", "kernels"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "weir-zc-")
	if err != nil {
		t.Fatal(err)
	}
	guest := filepath.Join(dir, "guest")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", guest, "./guest")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	begin := time.Now()
	shown, err := Prove(ctx, Options{Kernel: k, Guest: guest, Dir: dir, Queues: 2, Tell: func(m *Message) {
		if m.Result != nil {
			t.Logf("%v %+v %+v", time.Since(begin), *m.Result, m.Result.Frames)
		} else {
			t.Logf("%v %+v", time.Since(begin), m)
		}
	}})
	if err != nil {
		t.Error(err)
	}
	_ = shown
}
