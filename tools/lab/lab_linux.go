package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Lab is a network. Its methods may be called at the same time.
type Lab struct {
	options Options
	ends    [2]end // by Side
	indexes []atomic.Uint32
	mu      sync.Mutex   // makes, removes and closes one at a time
	bursts  sync.RWMutex // held for reading by each, and against them while a link cannot send
	closed  bool
}

// end is all links' ends of one side.
type end struct {
	namespace Namespace
	netlink   *netlink.Handle
}

// Test is what New asks of a testing.TB; programs that make labs have no use for that package.
type Test interface {
	Helper()
	Skip(why ...any)
	Fatal(why ...any)
	Error(why ...any)
	Cleanup(f func())
}

// New is Open for a test, which it skips without the privileges, and closes at the test's end.
func New(t Test, o Options) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if strconv.IntSize == 32 {
		t.Skip("a lab is for 64-bit programs, as AF_XDP is")
	}
	l, err := Open(o)
	if errors.Is(err, unix.EPERM) {
		t.Skip("network namespaces need more privileges:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Open makes a network, with all links up. It removes those of processes that died before they
// could.
func Open(o Options) (*Lab, error) {
	o.setDefaults()
	if err := removeStale(); err != nil {
		return nil, err
	}
	gen, sut, err := newNamespaces()
	if err != nil {
		return nil, err
	}
	l := &Lab{options: o, indexes: make([]atomic.Uint32, o.Links)}
	l.ends[Gen].namespace, l.ends[Sut].namespace = gen, sut
	if err := l.prepare(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) prepare() error {
	for i := range l.ends {
		if err := l.ends[i].prepare(); err != nil {
			return err
		}
	}
	for link := range l.options.Links {
		if err := l.Make(link); err != nil {
			return err
		}
	}
	return nil
}

func (e *end) prepare() error {
	// Interfaces that come later take over the default.
	err := e.namespace.write("1",
		"ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	handle, err := netns.GetFromName(e.namespace.Name)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", e.namespace.Name, err)
	}
	defer handle.Close()
	if e.netlink, err = netlink.NewHandleAt(handle, unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("open netlink in %s: %w", e.namespace.Name, err)
	}
	return e.up("lo")
}

// Close removes the links and the names of the namespaces, which then live only as long as
// processes in them do.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for link := range l.options.Links {
		if l.indexes[link].Load() != 0 {
			errs = append(errs, l.remove(link))
		}
	}
	for i := range l.ends {
		if l.ends[i].netlink != nil {
			l.ends[i].netlink.Close()
		}
		errs = append(errs, l.ends[i].namespace.remove())
	}
	return errors.Join(errs...)
}

// Sut returns the namespace of the system under test.
func (l *Lab) Sut() Namespace { return l.ends[Sut].namespace }

// Gen returns the namespace that sends.
func (l *Lab) Gen() Namespace { return l.ends[Gen].namespace }

// Namespace returns the namespace of a side.
func (l *Lab) Namespace(side Side) Namespace { return l.ends[side].namespace }
