package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/control/cli"
	"weir/tools/zerocopy"
)

// asWeir is the name under which this program is weir.
const asWeir = "weir"

// lifetime is how long the machine lives at most.
const lifetime = 10 * time.Minute

func main() {
	if os.Args[0] == asWeir {
		os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: it is the init of a machine of its own")
		os.Exit(1)
	}
	time.AfterFunc(lifetime, end) // whoever watches may be gone
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	end()
}

// end restarts the machine, which is started so that it ends instead.
func end() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {}
}

// guest is the machine from inside.
type guest struct {
	console *console
	cards   []netlink.Link
	next    []uint32 // by card: the number of the next frame
}

func run() error {
	if err := mounts(); err != nil {
		return err
	}
	c, err := openConsole("/dev/ttyS1")
	if err != nil {
		return err
	}
	g := &guest{console: c}
	err = g.boot()
	if err == nil {
		err = g.show()
	}
	if err != nil {
		return errors.Join(err, c.tell(&zerocopy.Message{
			Kind: zerocopy.Failed, Text: err.Error(),
		}))
	}
	return c.tell(&zerocopy.Message{Kind: zerocopy.Done})
}

func mounts() error {
	for _, m := range []struct{ kind, where string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"},
		{"tmpfs", "/tmp"},
	} {
		if err := os.MkdirAll(m.where, 0o755); err != nil {
			return err
		}
		err := unix.Mount(m.kind, m.where, m.kind, 0, "")
		if err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.where, err)
		}
	}
	return nil
}

// boot loads the modules, finds the cards and sets them up.
func (g *guest) boot() error {
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	slices.Sort(modules) // the host has numbered them
	for _, m := range modules {
		if err := load(m); err != nil {
			return fmt.Errorf("load %s: %w", filepath.Base(m), err)
		}
	}
	for n := 0; ; n++ {
		link, err := netlink.LinkByName(fmt.Sprintf("eth%d", n))
		if errors.As(err, &netlink.LinkNotFoundError{}) && n > 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("card %d: %w", n, err)
		}
		g.cards, g.next = append(g.cards, link), append(g.next, 0)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	for _, link := range append([]netlink.Link{lo}, g.cards...) {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", link.Attrs().Name, err)
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	return g.console.tell(&zerocopy.Message{
		Kind: zerocopy.Booted, Text: unix.ByteSliceToString(u.Release[:]),
	})
}

// load loads a module, which the kernel decompresses.
func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if filepath.Ext(path) != ".ko" {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return unix.FinitModule(int(f.Fd()), "", flags)
}

// send has the host send frames to a card, and returns their numbers: from first, below end.
func (g *guest) send(card int, count uint32) (first, end uint32, err error) {
	first = g.next[card]
	sent, err := g.console.ask(&zerocopy.Message{
		Kind: zerocopy.Send, Card: card, First: first, Count: count,
	})
	g.next[card] += sent
	return first, first + sent, err
}

// show shows every scene.
func (g *guest) show() error {
	if err := g.showRing(); err != nil {
		return err
	}
	return g.showDaemon()
}
