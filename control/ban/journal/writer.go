package journal

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// writer is the file, and what is known of it. Only the journal's goroutine uses it.
type writer struct {
	disk     disk
	file     file // nil: none yet
	sound    bool // what was written is in the file, up to size, and nothing else is
	size     int64
	records  int
	seq      uint64 // of the next record
	unsynced bool
	compact  int64  // the file is made smaller when it is larger than this
	least    int64  // what compact is at least
	damaged  bool   // the file on the disk is yet to be kept aside
	keep     int    // so many of those
	kept     string // its name then
}

// batch is what goes to the disk at once.
type batch struct {
	dirty   map[netip.Prefix]bool
	changes []entry    // the state of dirty prefixes; of all live ones for a new file
	intents []*pending // none for a new file: a degraded journal refuses them
	sync    bool
}

// run writes what is queued: at once when something urgent is, and else every now and then. After
// a fault it tries again at its own pace.
func (j *Journal) run() {
	defer close(j.done)
	timer := time.NewTimer(j.options.Lazy)
	defer timer.Stop()
	for {
		wake, pause := j.wake, j.options.Lazy
		if j.State().Err != nil {
			wake, pause = nil, j.options.Retry
		}
		timer.Reset(pause)
		select {
		case <-wake:
		case <-timer.C:
		case <-j.quit:
			j.finish()
			return
		}
		j.turn()
	}
}

// finish writes what is left, with what the last intents may need to be cancelled.
func (j *Journal) finish() {
	j.turn()
	if j.State().Queued > 0 {
		j.turn()
	}
	w := &j.writer
	err := j.State().Err
	if err == nil && w.unsynced {
		err = w.file.Sync()
	}
	if n := j.State().Queued; n > 0 {
		err = fmt.Errorf("%d changes are not on the disk: %w", n, err)
	}
	if w.file != nil {
		if e := w.file.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		j.closeErr = fmt.Errorf("close the journal: %w", err)
	}
}

// turn brings the file up to date.
func (j *Journal) turn() {
	w := &j.writer
	b := j.take()
	if len(b.dirty)+len(b.intents) == 0 && w.sound {
		j.settle(b, nil, 0)
		return
	}
	began := j.clock.Boot()
	err := w.commit(j.gen, b)
	j.settle(b, err, time.Duration(j.clock.Boot()-began))
	if err == nil && w.size > w.compact {
		j.compact()
	}
}

// compact makes the file smaller. If it cannot, the old one is as good as before, unless even
// that is not known: then the next turn writes it anew.
func (j *Journal) compact() {
	w := &j.writer
	j.mu.Lock()
	live := j.running()
	j.busy = max(1, j.clock.Boot())
	j.mu.Unlock()
	err := w.rewrite(j.gen, live)
	if err != nil {
		w.compact = w.size + j.options.CompactBytes/4 // not at every record
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.busy, j.state.Housekeeping = 0, err
	if err == nil {
		j.state.Compactions++
	} else if !w.sound {
		j.degrade(err)
	}
	j.state.Bytes, j.state.Records = w.size, w.records
}

// running returns the live routes whose leases run, in order of prefix.
func (j *Journal) running() []entry {
	at := now(j.clock)
	var all []entry
	for _, e := range j.live {
		if e.from.left(e.Lease, at) > 0 {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return a.Prefix.Compare(b.Prefix) })
	return all
}

// take empties the queues. What then fails to be written is put back by settle.
func (j *Journal) take() *batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := &batch{dirty: j.dirty, intents: j.intents, sync: len(j.intents) > 0}
	j.dirty, j.intents = map[netip.Prefix]bool{}, nil
	for p, sync := range b.dirty {
		b.sync = b.sync || sync
		e, ok := j.live[p]
		if !ok {
			e = entry{Route: Route{Prefix: p}, op: withdrawn, from: now(j.clock)}
		}
		b.changes = append(b.changes, e)
	}
	if !j.writer.sound {
		b.changes = j.running()
	}
	slices.SortFunc(b.changes, func(x, y entry) int { return x.Prefix.Compare(y.Prefix) })
	j.busy = max(1, j.clock.Boot())
	return b
}

// settle answers the intents of b after it has been tried, and puts back what was not written.
func (j *Journal) settle(b *batch, err error, took time.Duration) {
	w := &j.writer
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range b.intents {
		switch {
		case !p.gaveUp && err == nil:
			j.live[p.Prefix] = p.entry
			p.reply(nil)
		case !p.gaveUp:
			p.reply(err)
		case err == nil: // durable, and refused: what is live in its place has to follow
			j.state.Cancelled++
			j.dirty[p.Prefix] = true
			j.poke()
		}
	}
	j.busy, j.state.Err = 0, nil
	if err != nil {
		for p, sync := range b.dirty {
			j.dirty[p] = j.dirty[p] || sync
		}
		j.degrade(err)
	}
	j.state.Bytes, j.state.Records = w.size, w.records
	if took > 0 {
		j.state.LastSync = took
	}
}

// degrade refuses the intents that came meanwhile, and all until a new file is there.
func (j *Journal) degrade(err error) {
	j.state.Err = err
	for _, p := range j.intents {
		p.reply(err)
	}
	j.intents = nil
}

func (p *pending) reply(err error) {
	p.answered = true
	p.answer <- err
}

// commit makes b durable, in a new file if the old one cannot be trusted.
func (w *writer) commit(gen uint64, b *batch) error {
	if !w.sound {
		return w.rewrite(gen, b.changes)
	}
	return w.append(gen, b)
}

// append writes b behind what is there. Intents come last, so that they can be cut off.
func (w *writer) append(gen uint64, b *batch) error {
	buf, before := w.encode(nil, gen, b)
	n := len(b.changes) + len(b.intents)
	if _, err := w.file.Write(buf); err != nil {
		w.undo()
		return fmt.Errorf("write the journal: %w", err)
	}
	w.unsynced = true
	if b.sync {
		if err := w.file.Sync(); err != nil {
			// What a failed sync has lost no later one brings back. A weir that starts
			// before the new file is there shall at least not find what was refused.
			w.sound = false
			_ = w.file.Truncate(w.size + int64(before))
			return fmt.Errorf("sync the journal: %w", err)
		}
		w.unsynced = false
	}
	w.size += int64(len(buf))
	w.records += n
	w.seq += uint64(n)
	return nil
}

// encode appends the records of b to buf, and returns where its intents begin.
func (w *writer) encode(buf []byte, gen uint64, b *batch) (out []byte, before int) {
	seq := w.seq
	for i := range b.changes {
		buf = b.changes[i].record(gen, seq).appendTo(buf)
		seq++
	}
	before = len(buf)
	for _, p := range b.intents {
		buf = p.record(gen, seq).appendTo(buf)
		seq++
	}
	return buf, before
}

// undo takes back a write that failed, which may have written a part: for a weir that starts before
// there is a new file.
func (w *writer) undo() {
	w.sound = false
	if w.file.Truncate(w.size) == nil {
		_ = w.file.Sync()
	}
}
