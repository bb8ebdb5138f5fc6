package nic

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Timing says how the kernel goes on polling an interface's queues after it has found one empty,
// before it allows the interrupt again: what frames come meanwhile are taken by a timer, in one
// go. It is both napi_defer_hard_irqs and gro_flush_timeout, which do nothing without each other.
type Timing struct {
	Defer uint32        `json:"napi_defer_hard_irqs"`
	Flush time.Duration `json:"gro_flush_timeout_ns"`
}

// DefaultTiming is what costs least for AF_XDP at full rate, as measured by others on a 100 GbE
// card (github.com/atoonk/go-afxdp, README): more than this, and the card's ring runs over.
var DefaultTiming = Timing{Defer: 2, Flush: 200 * time.Microsecond}

// lineRate is the time of one frame at 10 GbE's highest rate, 14.88 million per second.
const lineRate = 67 * time.Nanosecond

// fit returns t with no longer a wait than a receive ring of that many frames lasts at 10 GbE's
// highest rate; of an unknown ring, 0, it is t.
func (t Timing) fit(ring int) Timing {
	if ring > 0 {
		t.Flush = min(t.Flush, time.Duration(ring)*lineRate)
	}
	return t
}

// acts reports whether interrupts are deferred at all.
func (t Timing) acts() bool { return t.Defer > 0 && t.Flush > 0 }

// String returns both halves: 2/200µs.
func (t Timing) String() string { return fmt.Sprintf("%d/%v", t.Defer, t.Flush) }

// site is where timings of one interface are read and written: under one number for the whole
// interface, or under one for each of its NAPIs, whichever the kernel has.
type site interface {
	read() (map[uint32]Timing, error)
	write(id uint32, t Timing) error
	way() string // "sysfs" or "netlink"
}

// note is what a file remembers of an interface whose timings were changed: everything that it
// takes to undo that, by this process or by one that comes after its death. Nothing of it
// outlives the boot, the interface or the network namespace.
type note struct {
	Boot      string            `json:"boot"`      // random/boot_id
	Namespace uint64            `json:"namespace"` // its inode
	Interface string            `json:"interface"`
	Index     int               `json:"index"`
	Way       string            `json:"way"`
	Set       Timing            `json:"set"`
	Found     map[uint32]Timing `json:"found"` // by the numbers of the site
}

// noteFile returns where the note of an interface lies.
func noteFile(dir, name string) string { return filepath.Join(dir, notePrefix+name+noteSuffix) }

const (
	notePrefix  = "interface-"
	noteSuffix  = ".json"
	maxNote     = 1 << 20 // bytes: 4096 NAPIs take less
	noteMode    = 0o640
	noteDirMode = 0o750
)

// keep writes the note, so that it is on the disk when keep returns.
func (n *note) keep(dir string) error {
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	if err := os.MkdirAll(dir, noteDirMode); err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	path := noteFile(dir, n.Interface)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, noteMode)
	if err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	return nil
}

// notes returns all notes in dir, and removes what is none.
func notes(dir string) (all []note) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name, isNote := strings.CutPrefix(e.Name(), notePrefix)
		if !isNote {
			continue
		}
		path := filepath.Join(dir, e.Name())
		var n note
		name, isNote = strings.CutSuffix(name, noteSuffix)
		text, err := readUpTo(path, maxNote)
		if !isNote || err != nil || json.Unmarshal(text, &n) != nil || n.Interface != name {
			_ = os.Remove(path) // torn, or nobody's
			continue
		}
		all = append(all, n)
	}
	return all
}

// readUpTo reads a file that is no longer than limit.
func readUpTo(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes", path, info.Size())
	}
	return os.ReadFile(path)
}

// undo puts back what was found, wherever what we set still stands. It returns what does not: what
// another program has changed meanwhile is left as it is. NAPIs that are gone took theirs along.
func (n *note) undo(s site) (changed []string, err error) {
	now, err := s.read()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, id := range sortedIDs(n.Found) {
		is, there := now[id]
		if !there {
			continue
		}
		if !n.ours(id, is) {
			changed = append(changed, is.String())
		} else if is != n.Found[id] {
			errs = append(errs, s.write(id, n.Found[id]))
		}
	}
	return slices.Compact(changed), errors.Join(errs...)
}

// ours reports whether a timing is what we have made of it: each half is what we set, or, as where
// we died between writing the one and the other, what we found.
func (n *note) ours(id uint32, is Timing) bool {
	found := n.Found[id]
	return (is.Defer == n.Set.Defer || is.Defer == found.Defer) &&
		(is.Flush == n.Set.Flush || is.Flush == found.Flush)
}

func sortedIDs(of map[uint32]Timing) (ids []uint32) {
	for id := range of {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
