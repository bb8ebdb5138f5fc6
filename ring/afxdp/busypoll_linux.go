package afxdp

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel is told, as Suricata's and the kernel's own samples do: a call looks for frames
// for so long at most, and takes a burst of ours at most.
const (
	busyMicros = 20
	busyBudget = 64
)

// polling is how one socket is busy-polled. All but state and fault are its worker's alone.
type polling struct {
	want    BusyPoll
	allowed func() bool // interrupts are deferred
	state   atomic.Pointer[string]
	fault   atomic.Pointer[string]

	open  bool  // the probe has not ended
	named bool  // the kernel has named the queue's NAPI
	busy  bool  // the worker drives the queue now
	woken bool  // the kernel was called since the last look
	limit int64 // the clock when interrupts must be deferred at last; 0: not begun
	probe probe
}

// States as pointers, so that the worker stores them without allocating.
var (
	pollingOff, pollingWaiting, pollingProbing = PollingOff, PollingWaiting, PollingProbing
	pollingOn, pollingRefused                  = PollingOn, PollingRefused
)

// pollingPatience is how long after the first frame interrupts may still come to be deferred: those
// of queues that came are at the Mirror's next look.
const pollingPatience = int64(3 * time.Second)

// beginPolling asks for busy polling; it leaves it off until the first step.
func (s *socket) beginPolling(want BusyPoll, allowed func() bool) {
	p := &s.polling
	p.want, p.allowed = want, allowed
	p.state.Store(&pollingOff)
	if want == BusyOff {
		return
	}
	if err := s.prefer(true); err != nil {
		s.refuse("the kernel refuses it: " + err.Error())
		return
	}
	if err := s.prefer(false); err != nil {
		s.refuse("the kernel refuses it: " + err.Error())
		return
	}
	p.open = true
	p.state.Store(&pollingWaiting)
}

// refuse ends busy polling for good. It is a function of its own because it allocates.
func (s *socket) refuse(why string) {
	p := &s.polling
	p.open, p.busy = false, false
	p.fault.Store(&why)
	p.state.Store(&pollingRefused)
}

// status returns the state, and what stands in the way. Any goroutine may ask.
func (p *polling) status() (state, fault string) {
	if s := p.state.Load(); s != nil {
		state = *s
	}
	if f := p.fault.Load(); f != nil {
		fault = *f
	}
	return state, fault
}

// prefer switches the socket to being polled, or back to interrupts.
func (s *socket) prefer(on bool) error {
	prefer, micros := 0, 0
	if on {
		prefer, micros = 1, busyMicros
	}
	for _, o := range []struct {
		name          string
		option, value int
	}{
		{"SO_PREFER_BUSY_POLL", unix.SO_PREFER_BUSY_POLL, prefer},
		{"SO_BUSY_POLL", unix.SO_BUSY_POLL, micros},
		{"SO_BUSY_POLL_BUDGET", unix.SO_BUSY_POLL_BUDGET, busyBudget},
	} {
		err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.option, o.value)
		switch {
		case errors.Is(err, unix.ENOPROTOOPT):
			return fmt.Errorf("%s: it takes Linux 5.11", o.name)
		case errors.Is(err, unix.EPERM):
			return fmt.Errorf("%s: it takes CAP_NET_ADMIN", o.name)
		case err != nil:
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// step brings the probe forward: its worker calls it while polling.open.
func (s *socket) step(now int64) {
	p := &s.polling
	received := s.Received()
	if !p.named {
		if received == 0 {
			return
		}
		s.name(now, received)
		return
	}
	busy, done := p.probe.step(now, received)
	if done {
		s.conclude()
		return
	}
	if p.probe.next < 0 {
		busy = p.want == BusyOn
	} else {
		p.state.Store(&pollingProbing)
	}
	if busy == p.busy {
		return
	}
	if err := s.prefer(busy); err != nil {
		s.refuse("the kernel refuses it: " + err.Error())
		return
	}
	p.busy = busy
}

// name asks for the queue's NAPI, and begins. The kernel knows it from the first frame on; from
// 6.13 on from the bind, and never where the driver does not tell it which NAPI serves a queue, as
// veth does not.
func (s *socket) name(now int64, received uint64) {
	p := &s.polling
	if p.limit == 0 {
		p.limit = now + pollingPatience
	}
	if !p.allowed() {
		if now >= p.limit {
			s.refuse("interrupts are not deferred, without which it does nothing")
		}
		return
	}
	id, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)
	if err != nil || id == 0 {
		s.refuse("the kernel does not know what serves the queue: its driver names no NAPI")
		return
	}
	p.named = true
	p.probe = newProbe(now, received)
}

// conclude ends the probe.
func (s *socket) conclude() {
	p := &s.polling
	interrupts, polling := p.probe.medians()
	if worse(interrupts, polling) {
		_ = s.prefer(false) // refused: the options are there and do no harm without calls
		s.refuse(fmt.Sprintf("the probe had %d frames by interrupts and %d by polling, each in %v",
			interrupts, polling, probeWindow))
		return
	}
	if err := s.prefer(true); err != nil {
		s.refuse("the kernel refuses it: " + err.Error())
		return
	}
	p.open, p.busy = false, true
	p.state.Store(&pollingOn)
}

// drive has the kernel run the queue's receive path on this core, unless it was called since the
// worker last looked.
func (s *socket) drive() {
	if s.polling.busy && !s.polling.woken {
		s.wake()
	}
	s.polling.woken = false
}
