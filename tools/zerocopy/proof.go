package zerocopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Options say what is booted, and where.
type Options struct {
	Kernel *Kernel
	Guest  string // the command guest, built for linux/amd64 without C
	Dir    string // for sockets and logs: a short path, and empty
	// Queues is the number of a second card's queues; 0: there is no second card. It needs root.
	Queues int
	// Tell is called for each result, and for what the guest's kernel is.
	Tell func(*Message)
}

// Prove boots the machine and returns what weir showed in it. The error says what went wrong,
// with the ends of the logs; what was shown until then is returned with it.
func Prove(ctx context.Context, o Options) (shown []Result, err error) {
	if err := writeInitramfs(&o); err != nil {
		return nil, fmt.Errorf("make an initramfs: %w", err)
	}
	cards := []card{&dgramCard{dir: o.Dir}}
	if o.Queues > 0 {
		c, err := newTapCard(o.Queues)
		if err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	m, err := start(ctx, o.Dir, o.Kernel, cards)
	if err != nil {
		return nil, err
	}
	shown, err = m.watch(ctx, o.Tell)
	if stopped := m.stop(); err != nil {
		return shown, fmt.Errorf("%w\n%s", err, m.logs())
	} else if stopped != nil {
		return shown, stopped
	}
	used := m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime()
	o.Tell(&Message{Kind: Done, Text: fmt.Sprintf("with %.1f s of CPU time", used.Seconds())})
	return shown, nil
}

func writeInitramfs(o *Options) error {
	var a archive
	guest, err := os.ReadFile(o.Guest)
	if err != nil {
		return err
	}
	for _, folder := range []string{"dev", "proc", "sys", "run", "tmp", "modules"} {
		a.folder(folder)
	}
	a.file("init", guest)
	for n, module := range o.Kernel.Modules {
		data, err := os.ReadFile(module)
		if err != nil {
			return err
		}
		a.file(fmt.Sprintf("modules/%d-%s", n, filepath.Base(module)), data)
	}
	return os.WriteFile(filepath.Join(o.Dir, "initramfs"), a.bytes(), 0o600)
}

// watch answers the guest until it is done.
func (m *machine) watch(ctx context.Context, tell func(*Message)) (shown []Result, err error) {
	for {
		msg, err := m.next(ctx)
		if err != nil {
			return shown, err
		}
		switch {
		case msg.Kind == Send, msg.Kind == Pull, msg.Kind == Plug:
			if err := m.answer(&msg); err != nil {
				return shown, err
			}
		case msg.Kind == Done:
			return shown, nil
		case msg.Kind == Failed:
			return shown, errors.New("the guest failed: " + msg.Text)
		case msg.Kind == Shown && msg.Result != nil:
			shown = append(shown, *msg.Result)
			tell(&msg)
		case msg.Kind == Booted:
			if err := m.ready(); err != nil {
				return shown, err
			}
			tell(&msg)
		default:
			return shown, fmt.Errorf("the guest said %+v", msg)
		}
	}
}
