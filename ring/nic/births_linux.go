package nic

import (
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// births knows what interfaces had received when they appeared: a count that belongs to whatever
// they were before, or were called.
type births struct {
	mu  sync.Mutex
	all map[int]birth // by index
}

type birth struct {
	name     string
	received uint64
}

// note takes on what the kernel tells of a link.
func (b *births) note(u *netlink.LinkUpdate) {
	if u.Family != unix.AF_UNSPEC { // a bridge tells of its ports
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if u.Header.Type == unix.RTM_DELLINK {
		delete(b.all, int(u.Index))
	} else if u.Attrs().Statistics != nil {
		i := describe(u.Link)
		b.add(&i)
	}
}

// birthPatience bounds the wait for what the kernel tells of an interface that it has shown.
const birthPatience = 50 * time.Millisecond

// of returns what i had received when it appeared, or, should the kernel not tell, by now.
func (b *births) of(i *Interface) uint64 {
	for end := time.Now().Add(birthPatience); !b.know(i) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.add(i)
}

func (b *births) know(i *Interface) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all[i.Index].name == i.Name
}

func (b *births) add(i *Interface) uint64 {
	if known, ok := b.all[i.Index]; ok && known.name == i.Name {
		return known.received
	}
	b.all[i.Index] = birth{i.Name, i.Received}
	return i.Received
}
