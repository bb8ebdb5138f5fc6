package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Restored is what Open found.
type Restored struct {
	Routes  []Survivor // by Asked, then by prefix
	Expired []Route    // whose lease ended while there was no weir, by prefix
	Cut     int        // bytes of a torn write that were cut off the end

	// Damaged says that the file was changed by something other than weir, so that Routes may
	// lack some and hold withdrawn ones: the caller starts in observe.
	Damaged bool
	Kept    string // path of the damaged file, if it could be kept
	Note    string // all that, for people; "" when there is nothing to say
}

// Open opens the journal in the directory dir, which only one weir may use at a time: the caller
// holds a lock. It reads what the last weir left and writes a new file, on the caller's goroutine.
// A damaged file is no error, nor is a disk that is full or has become read-only: the journal is
// then degraded from the start. Errors are an ErrNewer, the file being left as it is, and a
// directory that is not there or whose rights are wrong.
func Open(dir string, clock Clock, o Options) (*Journal, Restored, error) {
	j, r, err := open(directory(dir), clock, o)
	if err != nil {
		return nil, Restored{}, fmt.Errorf("open the journal in %s: %w", dir, err)
	}
	if r.Kept != "" {
		r.Kept = filepath.Join(dir, r.Kept)
	}
	r.Note = r.note(j.State().Err)
	return j, r, nil
}

func open(d disk, clock Clock, o Options) (*Journal, Restored, error) {
	o = o.orDefault()
	if _, err := d.list(); err != nil {
		return nil, Restored{}, err
	}
	c, err := load(d)
	if err != nil {
		return nil, Restored{}, err
	}
	j := &Journal{
		options: o, clock: clock, gen: c.gen + 1,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
		live: map[netip.Prefix]entry{}, dirty: map[netip.Prefix]bool{},
		writer: writer{
			disk: d, seq: 1, least: o.CompactBytes, keep: o.KeepBad, damaged: c.damage != "",
		},
	}
	r := j.restore(c)
	if err := j.begin(); err != nil {
		return nil, Restored{}, err
	}
	r.Kept = j.writer.kept
	go j.run()
	return j, r, nil
}

// load reads the file. None is an empty one.
func load(d disk) (contents, error) {
	data, err := d.read(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return contents{}, nil
	}
	if err != nil && !errors.Is(err, errRead) {
		return contents{}, err
	}
	c, newer := parse(data)
	if newer != nil {
		return contents{}, fmt.Errorf("%s: %w", fileName, newer)
	}
	if err != nil {
		c.damage = err.Error()
	}
	return c, nil
}

// restore makes the routes live whose leases run, stamped anew with what is left.
func (j *Journal) restore(c contents) Restored {
	r := Restored{Damaged: c.damage != "", Cut: c.torn, Note: c.damage}
	at := now(j.clock)
	for p, e := range c.live {
		left := e.from.left(e.Lease, at)
		if left <= 0 {
			r.Expired = append(r.Expired, e.Route)
			continue
		}
		e.from, e.Lease = at, left
		j.live[p] = e
		r.Routes = append(r.Routes, Survivor{Route: e.Route, Announced: e.op != intent})
	}
	slices.SortFunc(r.Routes, func(a, b Survivor) int {
		return cmp.Or(cmp.Compare(a.Asked, b.Asked), a.Prefix.Compare(b.Prefix))
	})
	slices.SortFunc(r.Expired, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	for i := range r.Routes {
		r.Routes[i].Communities = slices.Clone(r.Routes[i].Communities)
	}
	return r
}

// begin writes the first file of this generation. A disk that refuses for now is tried again
// later.
func (j *Journal) begin() error {
	w := &j.writer
	if err := w.disk.remove(tempName); denied(err) { // of an interrupted rewrite
		return err
	}
	began := j.clock.Boot()
	err := w.rewrite(j.gen, j.running())
	if denied(err) {
		if w.file != nil {
			err = errors.Join(err, w.file.Close())
		}
		return err
	}
	j.settle(&batch{}, err, time.Duration(j.clock.Boot()-began))
	return nil
}

// denied reports whether an error is about rights: an operator's mistake, which no time heals.
func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }

// note says what Open found; until then Note is what the damage is.
func (r *Restored) note(degraded error) string {
	var says []string
	add := func(format string, args ...any) {
		says = append(says, fmt.Sprintf(format, args...))
	}
	if n := len(r.Routes); n > 0 {
		add("routes restored: %d", n)
	}
	if n := len(r.Expired); n > 0 {
		add("leases that had ended: %d", n)
	}
	if r.Cut > 0 {
		add("an unfinished write of %d bytes was cut off", r.Cut)
	}
	switch {
	case r.Damaged && r.Kept != "":
		add("the journal was damaged (%s), and is kept as %s", r.Note, r.Kept)
	case r.Damaged:
		add("the journal was damaged (%s), and could not be kept yet", r.Note)
	}
	if degraded != nil {
		add("no new one can be written: %v", degraded)
	}
	return strings.Join(says, "; ")
}
