package nic

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// Deferral keeps the interrupts of one interface deferred while it is held, and remembers in a
// file what it found, so that it can be put back whatever happens.
//
// Concurrency: one goroutine calls Follow and Close; State and Acts may be called from any.
type Deferral struct {
	dir  string
	site site // nil: there is no way to change this interface
	note note
	want bool // false: nothing is changed, only looked at

	remains string // the fault that made want false

	mu    sync.Mutex
	state string
	fault string
	acts  bool
}

// State returns what holds, for people, and what is wrong with it, or "".
func (d *Deferral) State() (state, fault string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state, d.fault
}

// Acts reports whether interrupts are deferred now, whoever saw to it.
func (d *Deferral) Acts() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.acts
}

func (d *Deferral) say(acts bool, state, fault string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acts, d.state, d.fault = acts, state, fault
}

// Follow looks whether what was set still stands, and sets it for NAPIs that came. What another
// program has changed stays as it is, from then on for good.
func (d *Deferral) Follow() {
	if d.site == nil {
		return
	}
	now, err := d.site.read()
	if err != nil {
		d.say(false, "unknown", err.Error())
		return
	}
	if !d.want {
		d.look(now)
		return
	}
	for _, id := range sortedIDs(now) {
		if _, ours := d.note.Found[id]; ours && now[id] != d.note.Set {
			d.surrender(now[id])
			return
		}
	}
	d.set(now)
}

// look says what is there without changing it.
func (d *Deferral) look(now map[uint32]Timing) {
	if len(now) == 0 {
		d.say(false, "no queue is polled now", d.remains)
		return
	}
	acts := true
	words := ""
	for _, id := range sortedIDs(now) {
		acts = acts && now[id].acts()
		words = now[id].String()
	}
	d.say(acts, "as found "+words, d.remains)
}

// surrender leaves the interface to whoever changed it, and puts back what of it is still ours.
func (d *Deferral) surrender(to Timing) {
	d.want = false
	_ = d.Close() // says nothing that the reader of the fault could use
	d.remains = "another program has changed it since weir set it: it stays as it is"
	d.say(to.acts(), "as found "+to.String(), d.remains)
}

// set sets what has no setting yet, after it has written down what it found.
func (d *Deferral) set(now map[uint32]Timing) {
	var fresh []uint32
	for _, id := range sortedIDs(now) {
		if _, ours := d.note.Found[id]; !ours && !now[id].acts() {
			fresh = append(fresh, id)
		}
	}
	for id := range d.note.Found {
		if _, there := now[id]; !there {
			delete(d.note.Found, id)
		}
	}
	if len(fresh) > 0 {
		if err := d.write(fresh, now); err != nil {
			d.want, d.remains = false, err.Error()
			d.look(now)
			return
		}
	}
	if len(d.note.Found) == 0 {
		d.look(now) // it defers them already, or nothing of it is polled yet
		return
	}
	d.say(true, fmt.Sprintf("%v by %s", d.note.Set, d.site.way()), "")
}

// write writes the note and then the timings of fresh.
func (d *Deferral) write(fresh []uint32, now map[uint32]Timing) error {
	for _, id := range fresh {
		d.note.Found[id] = now[id]
	}
	if err := d.note.keep(d.dir); err != nil {
		return err // what cannot be remembered is not done
	}
	for _, id := range fresh {
		if err := d.site.write(id, d.note.Set); err != nil {
			return errors.Join(err, d.Close())
		}
	}
	return nil
}

// Close puts back what was found. It returns no error for an interface that is gone.
func (d *Deferral) Close() error {
	if d.site == nil || len(d.note.Found) == 0 {
		return nil
	}
	_, err := d.note.undo(d.site)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, ErrMissing) {
		return fmt.Errorf("put back %s's deferral of interrupts: %w", d.note.Interface, err)
	}
	d.note.Found = nil
	if err := os.Remove(noteFile(d.dir, d.note.Interface)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
