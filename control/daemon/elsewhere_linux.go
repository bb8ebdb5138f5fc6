package daemon

import (
	"context"
	"sync"
	"time"

	"weir/control/health"
	"weir/ring/nic"
)

// elsewhere watches what interfaces receive that nobody captures from: a mirror may be plugged in
// there.
type elsewhere struct {
	nic   *nic.Handle // nil: the kernel does not tell
	taken map[string]bool

	mu     sync.Mutex
	before map[string]uint64
	now    []health.Elsewhere
}

func openElsewhere(ms []*mirror) *elsewhere {
	e := &elsewhere{taken: map[string]bool{}, before: map[string]uint64{}}
	for _, m := range ms {
		e.taken[m.Interface] = true
	}
	if handle, err := nic.Open(); err == nil { // without, silence has fewer explanations
		e.nic = handle
	}
	return e
}

// run looks once a second until ctx ends.
func (e *elsewhere) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for e.nic != nil {
		e.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *elsewhere) look() {
	all, err := e.nic.List()
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now[:0:0]
	for i := range all {
		name, n := all[i].Name, all[i].Received
		last, known := e.before[name]
		e.before[name] = n
		if known && n > last && !e.taken[name] && name != "lo" {
			e.now = append(e.now, health.Elsewhere{Interface: name, PPS: n - last})
		}
	}
}

// rates returns what the others received in the last second.
func (e *elsewhere) rates() []health.Elsewhere {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *elsewhere) close() error {
	if e.nic == nil {
		return nil
	}
	return e.nic.Close()
}
