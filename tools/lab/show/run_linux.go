package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"weir/tools/lab"
)

// attackEvery and attackFor are the rhythm of the attacks.
const (
	attackEvery = 25 * time.Second
	attackFor   = 12 * time.Second
)

// configuration is that of the weir that is shown.
const configuration = `version: 1
networks: [10.0.0.0/16, "2001:db8::/48"]
thresholds:
  incoming: {pps: 20k, bps: 1G, fps: 100k}
capture: {afxdp: [{interface: mirror0}]}
ban: {time: 20s, quiet: 5s}
memory: {tables: 256MiB}
state_dir: %[1]s/state
api: {socket: %[1]s/api.sock}
`

func run(args []string) (err error) {
	if len(args) != 1 {
		return errors.New("want one argument: the weir to run")
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	weir, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "weir-lab")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := lab.Open(lab.Options{Queues: 2})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	daemon, err := start(l, weir, dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		err = errors.Join(err, daemon.Wait())
	}()
	ctx, stop := context.WithCancel(context.Background())
	var traffic sync.WaitGroup
	defer func() { stop(); traffic.Wait() }()
	traffic.Go(func() { everyday(ctx, l) })
	traffic.Go(func() { attacks(ctx, l) })
	return watch(weir, dir)
}

// start starts weir in the lab and waits until it answers.
func start(l *lab.Lab, weir, dir string) (*exec.Cmd, error) {
	path := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, configuration, dir), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(weir, "run", "-c", path)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the screen alone
	if err := l.Sut().Start(cmd); err != nil {
		return nil, err
	}
	for range 100 {
		if _, err := os.Stat(filepath.Join(dir, "api.sock")); err == nil {
			return cmd, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	_ = cmd.Process.Kill()
	return nil, errors.Join(fmt.Errorf("weir does not answer: %s", said), cmd.Wait())
}

// watch shows the screen until it is left.
func watch(weir, dir string) error {
	top := exec.Command(weir, "top", "--socket", filepath.Join(dir, "api.sock"))
	top.Stdin, top.Stdout, top.Stderr = os.Stdin, os.Stdout, os.Stderr
	return top.Run()
}

// everyday sends packets to and from some thousand hosts until ctx ends.
func everyday(ctx context.Context, l *lab.Lab) {
	const host, source = 14 + 16, 14 + 12
	inside := lab.Patch{Width: 4, Base: 10 << 24, Mask: 0x3ff, Random: true}
	in, out := inside, inside
	in.Offset, out.Offset = host, source
	home, away := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.18.0.1")
	var flows sync.WaitGroup
	flows.Go(func() { send(ctx, l, lab.UDPFrame(away, home, 443, 50000, 400), 4000, in) })
	flows.Go(func() { send(ctx, l, lab.UDPFrame(home, away, 50000, 443, 120), 2500, out) })
	flows.Wait()
}

// attacks floods one host after another until ctx ends.
func attacks(ctx context.Context, l *lab.Lab) {
	targets := []string{"10.0.3.17", "2001:db8::80", "10.0.1.200"}
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(attackEvery - attackFor):
		}
		to := netip.MustParseAddr(targets[i%len(targets)])
		from := netip.MustParseAddr("198.18.0.1")
		if to.Is6() {
			from = netip.MustParseAddr("2001:db8:ffff::1")
		}
		frame := lab.UDPFrame(from, to, 53, 40000, 600)
		while, end := context.WithTimeout(ctx, attackFor)
		send(while, l, frame, 60_000, lab.SourcePatches(frame)[0])
		end()
	}
}

// send sends a frame again and again, patched, until ctx ends.
func send(ctx context.Context, l *lab.Lab, frame []byte, pps float64, p lab.Patch) {
	g, err := l.Generator(lab.GeneratorConfig{Frame: frame, Patches: []lab.Patch{p}})
	if err != nil {
		return // the lab is going
	}
	_ = g.Run(ctx, pps, nil)
	_ = g.Close()
}
