package afxdp

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"weir/ring/nic"
)

// attachment is a program on an interface, with the sockets that it feeds.
type attachment struct {
	index    int // of the interface
	covered  int // receive queues on which the program surely runs
	generic  bool
	reason   string // why generic
	program  *program
	link     link.Link
	promisc  *nic.Promiscuous // nil where not asked for
	sockets  map[int]*socket  // by queue
	nicRing  int              // frames of the interface's own ring; 0: not known
	deferral atomic.Pointer[nic.Deferral]
}

// attach puts a program on the interface, in the driver where it can, and opens sockets for
// queues. On failure nothing of it stays.
func attach(c *Config, i *nic.Interface, queues []int) (*attachment, error) {
	a, err := attachMode(c, i, queues, link.XDPDriverMode)
	if err == nil || c.ZeroCopy == Required || errors.Is(err, unix.EPERM) || taken(err) {
		return a, err
	}
	native := err
	if a, err = attachMode(c, i, queues, link.XDPGenericMode); err != nil {
		return nil, errors.Join(native, err)
	}
	a.generic, a.reason = true, "native: "+native.Error()
	for _, s := range a.sockets {
		s.mode, s.reason = ModeGeneric, a.reason
	}
	return a, nil
}

func attachMode(
	c *Config, i *nic.Interface, queues []int, mode link.XDPAttachFlags,
) (a *attachment, err error) {
	a = &attachment{index: i.Index, sockets: map[int]*socket{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
			a = nil
		}
	}()
	if err := a.load(i, mode); err != nil {
		return a, err
	}
	if c.Promiscuous {
		if a.promisc, err = nic.NewPromiscuous(i.Index); err != nil {
			return a, err
		}
	}
	for _, q := range queues {
		if a.sockets[q], err = a.open(c, q); err != nil {
			delete(a.sockets, q)
			return a, err
		}
	}
	return a, nil
}

// load loads the program and attaches it: one that takes frames of several buffers, or, where the
// driver has none of these, one that does not.
func (a *attachment) load(i *nic.Interface, mode link.XDPAttachFlags) error {
	name := "native"
	if mode == link.XDPGenericMode {
		name = "generic"
	}
	var errs []error
	said := ""
	for _, frags := range []bool{true, false} {
		p, err := newProgram(max(64, i.RXQueues), frags)
		if err != nil {
			return err
		}
		a.link, err = attachLink(p, i.Index, mode)
		if err == nil {
			a.program, a.covered = p, i.RXQueues
			return nil
		}
		errs = append(errs, p.close())
		if text := err.Error(); text != said { // most drivers say the same both times
			errs, said = append(errs, err), text
		}
		if taken(err) {
			break
		}
	}
	err := explain(errors.Join(errs...))
	return fmt.Errorf("attach a program to %s (%s): %w", i.Name, name, err)
}

// cover makes the program run on receive queues that came after it was attached: a veth runs it
// only on those that it had then, and past it frames reach the host uncounted by it.
func (a *attachment) cover(queues int) error {
	if queues <= a.covered {
		return nil
	}
	if err := a.program.renew(a.link); err != nil {
		return fmt.Errorf("attach to %d queues that came: %w", queues-a.covered, err)
	}
	a.covered = queues
	return nil
}

// Patience with what the kernel frees late, after another process has ended.
const (
	busyPatience = 1500 * time.Millisecond
	busyPause    = 25 * time.Millisecond
)

// taken reports whether another has what was asked for.
func taken(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) }

// whileBusy calls try until it no longer fails with EBUSY or EEXIST, or patience ends.
func whileBusy(try func() error) error {
	for begin := time.Now(); ; time.Sleep(busyPause) {
		err := try()
		if !taken(err) || time.Since(begin) > busyPatience {
			return err
		}
	}
}

func attachLink(p *program, index int, mode link.XDPAttachFlags) (l link.Link, err error) {
	err = whileBusy(func() error {
		l, err = link.AttachXDP(link.XDPOptions{Program: p.prog, Interface: index, Flags: mode})
		return err
	})
	return l, err
}

// explain adds to the kernel's word for a refusal what it usually means.
func explain(err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		hint = "another XDP program is attached; `ip link show` names it"
	case errors.Is(err, unix.ENOSPC):
		hint = "the interface has fewer receive queues than its peer has transmit queues"
	case errors.Is(err, unix.EPERM):
		hint = "it takes CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
	case errors.Is(err, unix.EOPNOTSUPP):
		hint = "the driver does not support it"
	case errors.Is(err, unix.ERANGE), errors.Is(err, unix.EINVAL):
		hint = "the MTU may be too large for the driver, or its receive offloads in the way"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}

// open makes the socket of one queue, in the best mode that is granted, and feeds it.
func (a *attachment) open(c *Config, queue int) (*socket, error) {
	s, err := a.climb(c, queue)
	if err != nil {
		return nil, fmt.Errorf("open queue %d of %s: %w", queue, c.Interface, err)
	}
	s.beginPolling(c.BusyPoll, a.deferred)
	if err := a.program.hold(s); err != nil {
		return nil, errors.Join(fmt.Errorf("feed queue %d of %s: %w", queue, c.Interface, err),
			s.release())
	}
	if a.generic {
		s.mode, s.reason = ModeGeneric, a.reason
	}
	return s, nil
}

// climb goes down the ladder of modes until a bind is granted. Frames of several buffers are
// asked for first on every rung.
func (a *attachment) climb(c *Config, queue int) (*socket, error) {
	rungs := []struct {
		name  string
		flags bindFlags
	}{{"zero-copy", unix.XDP_ZEROCOPY}, {"copy", unix.XDP_COPY}}
	switch {
	case c.ZeroCopy == Required:
		rungs = rungs[:1]
	case c.ZeroCopy == Off || a.generic:
		rungs = rungs[1:]
	}
	var refused error
	for _, rung := range rungs {
		s, err := bindOne(c, a.index, queue, rung.flags)
		if err == nil {
			if refused != nil {
				s.reason = refused.Error()
			}
			return s, nil
		}
		refused = errors.Join(refused, fmt.Errorf("%s: %w", rung.name, err))
	}
	return nil, refused
}

// bindOne binds a socket in one mode.
func bindOne(c *Config, index, queue int, flags bindFlags) (s *socket, err error) {
	for _, sg := range []bindFlags{unix.XDP_USE_SG, 0} {
		err = whileBusy(func() error {
			s, err = openSocket(c, index, queue, flags|sg)
			return err
		})
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, unix.EBUSY):
			return nil, fmt.Errorf("another program holds the queue: %w", err)
		case errors.Is(err, unix.EOPNOTSUPP):
			err = fmt.Errorf("the driver does not support it: %w", err)
		}
	}
	return nil, err
}

// deferred reports whether the interface's interrupts are deferred. Workers ask.
func (a *attachment) deferred() bool {
	d := a.deferral.Load()
	return d != nil && d.Acts()
}

// cutOff reports whether some socket has lost the interface that it was bound to, though there is
// one of the same index: it was in another namespace meanwhile.
func (a *attachment) cutOff() bool {
	for _, s := range a.sockets {
		if s.unbound() {
			return true
		}
	}
	return false
}

// close takes the program off and releases all sockets. No worker may use them any more.
func (a *attachment) close() error {
	var errs []error
	if d := a.deferral.Load(); d != nil {
		errs = append(errs, d.Close())
	}
	if a.link != nil {
		errs = append(errs, a.link.Close())
	}
	for _, s := range a.sockets {
		errs = append(errs, s.release())
	}
	if a.promisc != nil {
		errs = append(errs, a.promisc.Close())
	}
	if a.program != nil {
		errs = append(errs, a.program.close())
	}
	return errors.Join(errs...)
}
