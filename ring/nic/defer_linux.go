package nic

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Defer has the interface's interrupts deferred by DefaultTiming, or, unless want, only looks
// whether they are. An interface that defers them already keeps its own timing. What is changed
// is noted in dir first, and Close puts it back. Defer never fails: State has what is in the way.
func (h *Handle) Defer(i *Interface, want bool, dir string) *Deferral {
	d := &Deferral{dir: dir, want: want, note: note{
		Boot: bootID(), Namespace: h.namespace, Interface: i.Name, Index: i.Index,
		Set: DefaultTiming.fit(h.RingSize(i.Name)), Found: map[uint32]Timing{},
	}}
	if d.site = h.siteOf(i.Name, i.Index); d.site == nil {
		d.say(false, "unknown", "this kernel shows neither "+sysfsFile(i.Name, deferFile)+
			" nor, before 6.13, NAPIs by netlink")
		return d
	}
	d.note.Way = d.site.way()
	d.Follow()
	if state, fault := d.State(); fault != "" {
		d.remains = fault + "; as root: " + remedy(i.Name, d.note.Set)
		d.say(d.Acts(), state, d.remains)
	}
	return d
}

// remedy returns the command that does by hand what we may not.
func remedy(name string, t Timing) string {
	return fmt.Sprintf("echo %d > %s; echo %d > %s", t.Defer, sysfsFile(name, deferFile),
		t.Flush.Nanoseconds(), sysfsFile(name, flushFile))
}

// siteOf returns how timings of an interface are changed here: by sysfs where it shows this
// namespace's interfaces and lets us write, else NAPI by NAPI, which takes Linux 6.13.
func (h *Handle) siteOf(name string, index int) site {
	sys := &sysfs{name: name, index: index, root: sysfsRoot}
	shown := sys.shows() == nil
	if shown && unix.Access(sysfsFile(name, deferFile), unix.W_OK) == nil {
		return sys
	}
	if h.setsNAPIs {
		return &napis{h, index}
	}
	if shown {
		return sys // to be looked at, and to say what it takes
	}
	return nil
}

// Timings returns how the interface's interrupts are deferred now: once for all of it, or for each
// of its NAPIs, of which there may be none.
func (h *Handle) Timings(i *Interface) (all []Timing, err error) {
	s := h.siteOf(i.Name, i.Index)
	if s == nil {
		return nil, fmt.Errorf("ask how %s's interrupts are deferred: %w", i.Name,
			errors.ErrUnsupported)
	}
	now, err := s.read()
	for _, id := range sortedIDs(now) {
		all = append(all, now[id])
	}
	return all, err
}

// RingSize returns how many frames the interface's receive ring holds now, 0 where it is not
// known.
func (h *Handle) RingSize(name string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.ethtool.GetRing(name)
	if err != nil {
		return 0
	}
	return int(r.RxPending)
}

// Undefer puts back what a process that has died changed and noted in dir, and returns a sentence
// for each interface. It is called before any Defer with that dir.
func (h *Handle) Undefer(dir string) (told []string) {
	boot := bootID()
	for _, n := range notes(dir) {
		if n.Boot == boot && n.Namespace != h.namespace {
			continue // not here; the file stays for one who runs there
		}
		if n.Boot == boot {
			told = append(told, h.undo(&n)...)
		}
		_ = os.Remove(noteFile(dir, n.Interface)) // nothing left to do, or nothing that would help
	}
	return told
}

func (h *Handle) undo(n *note) []string {
	i, err := h.Find(n.Interface)
	if err != nil || i.Index != n.Index {
		return nil // gone, and its settings with it
	}
	var s site = &sysfs{name: n.Interface, index: n.Index, root: sysfsRoot}
	if n.Way == wayNetlink {
		s = &napis{h, n.Index}
	}
	changed, err := n.undo(s)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("%s: the deferral of interrupts that a weir before this one "+
			"set cannot be put back: %v", n.Interface, err)}
	case len(changed) > 0:
		return []string{fmt.Sprintf("%s: another program has changed the deferral of interrupts "+
			"since a weir set it, to %s: it stays as it is", n.Interface,
			strings.Join(changed, ", "))}
	}
	return []string{n.Interface + ": put back the deferral of interrupts that was there before a " +
		"weir that ended without doing so"}
}

// bootID names this boot, or is "" where the kernel does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// namespaceInode names the calling thread's network namespace.
func namespaceInode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("ask for the network namespace: %w", err)
	}
	return st.Ino, nil
}

// gone reports whether an error says that there is nothing any more.
func gone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT)
}
