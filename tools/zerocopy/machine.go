package zerocopy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// emulator is QEMU.
const emulator = "qemu-system-x86_64"

// card is one network card, seen from outside.
type card interface {
	// arguments are QEMU's for the card with that number; files are inherited by QEMU, from
	// descriptor fd on.
	arguments(number, fd int) (args []string, files []*os.File)
	// ready is called when the guest runs.
	ready() error
	// send hands frames over and returns how many of them the card will get.
	send(card int, first, count uint32) (uint32, error)
	close() error
}

// machine is a running QEMU.
type machine struct {
	dir    string
	cards  []card
	cmd    *exec.Cmd
	said   *os.File // by QEMU itself
	line   net.Conn // the guest's second serial port
	reader *bufio.Reader
	pulls  net.Conn      // QEMU's monitor, which pulls cables
	ended  chan struct{} // closed when QEMU has ended, as exit says
	exit   error
}

// startPatience bounds QEMU's way to its sockets.
const startPatience = 30 * time.Second

// start starts a machine with a kernel, an initramfs and cards. Its logs are in dir.
func start(ctx context.Context, dir string, k *Kernel, cards []card) (m *machine, err error) {
	m = &machine{dir: dir, cards: cards, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.stop())
			m = nil
		}
	}()
	line, err := listen(dir, "line")
	if err != nil {
		return m, err
	}
	defer func() { _ = line.Close() }()
	monitor, err := listen(dir, "monitor")
	if err != nil {
		return m, err
	}
	defer func() { _ = monitor.Close() }()
	if m.said, err = os.Create(filepath.Join(dir, "qemu.log")); err != nil {
		return m, err
	}
	m.cmd = exec.CommandContext(ctx, emulator)
	m.cmd.Stdout, m.cmd.Stderr = m.said, m.said
	m.cmd.Args = append(m.cmd.Args, arguments(dir, k)...)
	for n, c := range cards {
		args, files := c.arguments(n, 3+len(m.cmd.ExtraFiles))
		m.cmd.Args = append(m.cmd.Args, args...)
		m.cmd.ExtraFiles = append(m.cmd.ExtraFiles, files...)
	}
	if err := m.cmd.Start(); err != nil {
		m.cmd = nil
		return m, err
	}
	go func() {
		m.exit = m.cmd.Wait()
		close(m.ended)
	}()
	if m.line, err = line.Accept(); err != nil {
		return m, fmt.Errorf("QEMU does not begin: %w", err)
	}
	m.reader = bufio.NewReader(m.line)
	if m.pulls, err = monitor.Accept(); err != nil {
		return m, fmt.Errorf("QEMU has no monitor: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, m.pulls) }() // what it says, until stop closes it
	return m, nil
}

// listen waits for QEMU, not for ever, at a socket.
func listen(dir, name string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
	if err != nil {
		return nil, err
	}
	return l, l.SetDeadline(time.Now().Add(startPatience))
}

// arguments are QEMU's, without the cards. With the processor's instruction cx16 QEMU 7.2 crashes
// new kernels; with rdrand they need not wait for randomness. Both processors have one thread: with
// one each, one may still run code that the other has just rewritten, and the kernel rewrites its
// jump to XDP programs under traffic. Mitigations of what an emulated processor has not only cost
// time.
func arguments(dir string, k *Kernel) []string {
	return []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "q35", "-accel", "tcg,thread=single", "-smp", "2", "-m", "1024",
		"-cpu", "Nehalem,-cx16,+rdrand",
		"-kernel", k.Image, "-initrd", filepath.Join(dir, "initramfs"),
		"-append", "console=ttyS0 loglevel=5 panic=-1 rdinit=/init ipv6.disable=1 net.ifnames=0 " +
			"mitigations=off lsm=capability",
		"-serial", "file:" + filepath.Join(dir, "console.log"),
		"-chardev", "socket,id=line,path=" + filepath.Join(dir, "line"), "-serial", "chardev:line",
		"-chardev", "socket,id=monitor,path=" + filepath.Join(dir, "monitor"),
		"-mon", "chardev=monitor,mode=readline",
	}
}

// device returns QEMU's arguments for the virtio card on a netdev. With iommu_platform the driver
// does its DMA through the kernel's own layer, as zero-copy needs it.
func device(number int, extra string) []string {
	mac := MAC(number)
	return []string{"-device", fmt.Sprintf(
		"virtio-net-pci,netdev=net%d,mac=%v,iommu_platform=on,disable-legacy=on,romfile=%s",
		number, net.HardwareAddr(mac[:]), extra)}
}

// next waits for the guest's next message.
func (m *machine) next(ctx context.Context) (msg Message, err error) {
	if end, ok := ctx.Deadline(); ok {
		if err := m.line.SetReadDeadline(end); err != nil {
			return msg, err
		}
	}
	line, err := m.reader.ReadBytes('\n')
	if err != nil {
		return msg, fmt.Errorf("the machine fell silent: %w", err)
	}
	if err := json.Unmarshal(line, &msg); err != nil {
		return msg, fmt.Errorf("the guest said %q: %w", line, err)
	}
	return msg, nil
}

// ready makes the cards ready for frames.
func (m *machine) ready() error {
	for n, c := range m.cards {
		if err := c.ready(); err != nil {
			return fmt.Errorf("reach card %d: %w", n, err)
		}
	}
	return nil
}

// answer does what a message asks for, and says so.
func (m *machine) answer(msg *Message) error {
	if msg.Card < 0 || msg.Card >= len(m.cards) {
		return fmt.Errorf("the guest speaks of card %d of %d", msg.Card, len(m.cards))
	}
	var sent uint32
	var err error
	switch msg.Kind {
	case Send:
		sent, err = m.cards[msg.Card].send(msg.Card, msg.First, msg.Count)
	case Pull:
		_, err = fmt.Fprintf(m.pulls, "set_link net%d off\n", msg.Card)
	case Plug:
		_, err = fmt.Fprintf(m.pulls, "set_link net%d on\n", msg.Card)
	}
	if err != nil {
		return fmt.Errorf("%s, card %d: %w", msg.Kind, msg.Card, err)
	}
	line, err := json.Marshal(Answer{Sent: sent})
	if err != nil {
		return err
	}
	_, err = m.line.Write(append(line, '\n'))
	return err
}

// stopPatience bounds the wait for a machine that is about to end by itself.
const stopPatience = 2 * time.Second

// stop ends the machine, if it has not ended by itself.
func (m *machine) stop() error {
	var errs []error
	for _, c := range []net.Conn{m.line, m.pulls} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if m.cmd != nil {
		select {
		case <-m.ended:
		case <-time.After(stopPatience):
			errs = append(errs, m.cmd.Process.Kill())
			<-m.ended
		}
	}
	if m.said != nil {
		errs = append(errs, m.said.Close())
	}
	for _, c := range m.cards {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// logs returns the ends of what QEMU, which has ended, and the guest's kernel have said.
func (m *machine) logs() string {
	var b strings.Builder
	fmt.Fprintf(&b, "QEMU ended: %v\n", m.exit)
	for _, name := range []string{"qemu.log", "console.log"} {
		text, err := os.ReadFile(filepath.Join(m.dir, name))
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "%s:\n%s\n", name, text[max(0, len(text)-6000):])
	}
	return b.String()
}
