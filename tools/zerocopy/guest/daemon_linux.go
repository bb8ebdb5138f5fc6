package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"weir/control/api"
	"weir/tools/zerocopy"
)

// Where the daemon's files are.
const (
	configPath = "/run/weir.yaml"
	socketPath = "/run/weir.sock"
)

const configForm = `version: 1
networks: [` + zerocopy.Home + `]
thresholds:
  incoming: {pps: 10M}
capture: {afxdp: [%s]}
memory: {tables: 128MiB}
state_dir: /run/weir
api: {socket: ` + socketPath + `}
metrics: {listen: "127.0.0.1:9108"}
`

// daemon is a running weir on all cards.
type daemon struct {
	guest  *guest
	cmd    *exec.Cmd
	client *api.Client
	ended  chan error
}

// startDaemon starts weir with that value of the key zerocopy, and waits until it answers.
func (g *guest) startDaemon(mode string) (*daemon, error) {
	var interfaces []string
	for _, card := range g.cards {
		interfaces = append(interfaces,
			fmt.Sprintf("{interface: %s, zerocopy: %s}", card.Attrs().Name, mode))
	}
	yaml := fmt.Sprintf(configForm, strings.Join(interfaces, ", "))
	if err := os.WriteFile(configPath, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	d := &daemon{guest: g, client: api.Dial(socketPath), ended: make(chan error, 1)}
	d.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{asWeir, "run", "-c", configPath},
		Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.cmd.Wait() }()
	return d, d.until("answers", func(s *api.Status) bool { return s.Traffic.Time.Unix() > 0 })
}

// stop ends the daemon with a signal.
func (d *daemon) stop(signal syscall.Signal) error {
	if err := d.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-d.ended:
		if signal == syscall.SIGKILL {
			err = nil
		}
		return err
	case <-time.After(patience):
		return errors.New("weir does not end")
	}
}

// until waits for a status that is fits.
func (d *daemon) until(what string, fits func(*api.Status) bool) error {
	var last api.Status
	err := eventually(what, func() bool {
		s, err := d.client.Status(context.Background())
		last = s
		return err == nil && fits(&s)
	})
	if err != nil {
		return fmt.Errorf("weir: %w: %+v", err, last.Sources)
	}
	return nil
}

// account returns what the daemon says of frames since its start.
func (d *daemon) account() (*zerocopy.Result, error) {
	s, err := d.client.Status(context.Background())
	if err != nil {
		return nil, err
	}
	p, err := d.client.Pipeline(context.Background())
	if err != nil {
		return nil, err
	}
	r := &zerocopy.Result{Dropped: map[string]uint64{}}
	for i := range s.Sources {
		q := &s.Sources[i]
		r.Queues = append(r.Queues, zerocopy.Queue{
			Mode: q.Mode, Reason: q.Reason, Received: q.Received,
		})
		r.Passed += q.Passed
		for name, n := range q.Dropped {
			r.Dropped[name] += n
		}
	}
	for i := range p.Stages {
		if p.Stages[i].Name == "networks" {
			r.Counted = p.Stages[i].Out
		}
	}
	return r, nil
}

// scene has frames sent to all cards and tells the host what the daemon says of them. before is
// how many it has had.
func (d *daemon) scene(name string, before uint64) (sent uint64, err error) {
	begin := time.Now()
	sent = before
	for card := range d.guest.cards {
		first, end, err := d.guest.send(card, few)
		if err != nil {
			return sent, err
		}
		sent += uint64(end - first)
	}
	var r *zerocopy.Result
	var failed error
	if err := eventually("all frames counted", func() bool {
		r, failed = d.account()
		// Two answers of the daemon make an account: the first may be of the second before.
		return failed == nil && r.Counted >= sent && r.Received() >= sent
	}); err != nil && r == nil {
		return sent, errors.Join(err, failed)
	}
	r.Scene, r.Sent, r.Took = name, sent, time.Since(begin).Seconds()
	return sent, d.guest.console.tell(&zerocopy.Message{Kind: zerocopy.Shown, Result: r})
}

// showDaemon shows a running weir.
func (g *guest) showDaemon() error {
	d, err := g.startDaemon("required")
	if err != nil {
		return err
	}
	if _, err := d.scene(zerocopy.SceneDaemon, 0); err != nil {
		return err
	}
	if err := d.stop(syscall.SIGKILL); err != nil {
		return err
	}
	if d, err = g.startDaemon("required"); err != nil {
		return err
	}
	sent, err := d.scene(zerocopy.SceneKilled, 0)
	if err != nil {
		return err
	}
	if err := d.flap(); err != nil {
		return err
	}
	if _, err := d.scene(zerocopy.SceneDown, sent); err != nil {
		return err
	}
	if err := d.stop(syscall.SIGTERM); err != nil {
		return err
	}
	if d, err = g.startDaemon("off"); err != nil {
		return err
	}
	if _, err := d.scene(zerocopy.SceneRebound, 0); err != nil {
		return err
	}
	return d.stop(syscall.SIGTERM)
}

// flap takes all links down and up, and waits until the daemon has seen each.
func (d *daemon) flap() error {
	for _, step := range flaps() {
		for _, card := range d.guest.cards {
			if err := step.set(card); err != nil {
				return err
			}
		}
		if err := d.until("has links "+step.state, func(s *api.Status) bool {
			for i := range s.Sources {
				if s.Sources[i].State != step.state {
					return false
				}
			}
			return true
		}); err != nil {
			return err
		}
	}
	return nil
}
