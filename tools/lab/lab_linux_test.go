package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/decode"
)

// patience bounds every wait for the kernel.
const patience = 5 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never", what)
		}
	}
}

// device returns one end of a link.
func device(t *testing.T, l *Lab, side Side) *netlink.LinkAttrs {
	t.Helper()
	dev, err := l.ends[side].link(side.Interface(0))
	if err != nil {
		t.Fatal(err)
	}
	return dev.Attrs()
}

const xdpDrop = 1 // of enum xdp_action

// dropAll attaches a native program to mirror0 that drops every frame.
func dropAll(t *testing.T, l *Lab) {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL", Flags: unix.BPF_F_XDP_HAS_FRAGS, // at any MTU
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpDrop), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	index := device(t, l, Sut).Index
	var attached link.Link
	err = l.Sut().Do(func() (err error) {
		attached, err = link.AttachXDP(link.XDPOptions{
			Program: program, Interface: index, Flags: link.XDPDriverMode,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = attached.Close() })
}

// total adds up the counters whose names have the form, with %d for the queue.
func total(t *testing.T, l *Lab, side Side, form string) (sum uint64) {
	t.Helper()
	all, err := l.Counters(side, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range all {
		var queue int
		if _, err := fmt.Sscanf(name, form, &queue); err == nil &&
			name == fmt.Sprintf(form, queue) {
			sum += n
		}
	}
	return sum
}

func arrived(t *testing.T, l *Lab) uint64 { return total(t, l, Sut, "rx_queue_%d_xdp_packets") }

func generator(t *testing.T, l *Lab, c GeneratorConfig) *Generator {
	t.Helper()
	g, err := l.Generator(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func udp(from, to string, size int) []byte {
	return UDPFrame(netip.MustParseAddr(from), netip.MustParseAddr(to), 53, 4444, size)
}

// TestFlood sends a million frames as fast as they go, and finds all of them at the other end.
func TestFlood(t *testing.T) {
	frames := 1_000_000
	if testing.Short() {
		frames = 50_000
	}
	for name, frame := range map[string][]byte{
		"IPv4": udp("198.18.0.1", "10.0.1.1", minFrame),
		"IPv6": udp("2001:db8:ffff::1", "2001:db8::1", 90),
		"SYN": SYNFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1"),
			1024, 80),
	} {
		t.Run(name, func(t *testing.T) {
			l := New(t, Options{Queues: 2})
			dropAll(t, l)
			g := generator(t, l, GeneratorConfig{Frame: frame, Patches: SourcePatches(frame)})
			begin := time.Now()
			sent, err := g.Send(frames)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.2f million frames per second", float64(sent)/1e6/time.Since(begin).Seconds())
			if sent != frames || g.Sent() != uint64(frames) {
				t.Errorf("sent %d, %d in all, want %d", sent, g.Sent(), frames)
			}
			lost := func() uint64 { return total(t, l, Gen, "tx_queue_%d_xdp_xmit_errors") }
			eventually(t, "all at the other end", func() bool {
				return arrived(t, l)+lost() == uint64(frames)
			})
			if dropped := total(t, l, Sut, "rx_queue_%d_xdp_drops"); dropped != arrived(t, l) {
				t.Errorf("the program dropped %d of %d", dropped, arrived(t, l))
			}
			if lost() > 0 {
				t.Logf("lost on the way, by name: %d", lost())
			}
		})
	}
}

// receiver returns a packet socket at mirror0 with room for some thousands of frames.
func receiver(t *testing.T, l *Lab) int {
	t.Helper()
	if err := l.SetPolled(0); err != nil {
		t.Fatal(err)
	}
	index := device(t, l, Sut).Index
	var fd int
	err := l.Sut().Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL << 8 // in network byte order
		return errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}),
			unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func receive(t *testing.T, fd int) []byte {
	t.Helper()
	frame := make([]byte, 1<<14)
	n, _, err := unix.Recvfrom(fd, frame, 0)
	if err != nil {
		t.Fatal("receive:", err)
	}
	return frame[:n]
}

func TestPatches(t *testing.T) {
	l := New(t, Options{})
	from := receiver(t, l)
	frame := udp("198.18.0.1", "10.0.1.1", 80)
	frame[79] = 0xee
	const counter, low, random, wide = 42, 46, 48, 50
	g := generator(t, l, GeneratorConfig{Frame: frame, Patches: []Patch{
		{Offset: counter, Width: 4, Mask: math.MaxUint32},
		{Offset: low, Width: 2, Base: 0x1200, Mask: 0xff},
		{Offset: random, Width: 1, Base: 0x80, Mask: 0x7f, Random: true},
		{Offset: wide, Width: 4, Base: 0xc6120000, Mask: 0x1ffff, Random: true},
	}})
	const frames = 1000
	for _, n := range []int{frames - 1, 1} { // the count goes on
		if sent, err := g.Send(n); err != nil || sent != n {
			t.Fatal(sent, err)
		}
	}
	bytesSeen, wordsSeen := map[byte]bool{}, map[uint32]bool{}
	for i := range frames {
		got := receive(t, from)
		want := bytes.Clone(frame)
		binary.BigEndian.PutUint32(want[counter:], uint32(i))
		binary.BigEndian.PutUint16(want[low:], 0x1200|uint16(i)&0xff)
		if len(got) != len(want) {
			t.Fatalf("frame %d: %d bytes, want %d", i, len(got), len(want))
		}
		word := binary.BigEndian.Uint32(got[wide:])
		if got[random]&0x80 == 0 || word&^0x1ffff != 0xc6120000 {
			t.Fatalf("frame %d: random parts %#x, %#x", i, got[random], word)
		}
		bytesSeen[got[random]], wordsSeen[word] = true, true
		want[random] = got[random]
		binary.BigEndian.PutUint32(want[wide:], word)
		if !bytes.Equal(got, want) {
			t.Fatalf("frame %d:\n%x, want\n%x", i, got, want)
		}
	}
	if len(bytesSeen) < 100 || len(wordsSeen) < 900 {
		t.Errorf("%d and %d random values", len(bytesSeen), len(wordsSeen))
	}
}

func TestSYNFrame(t *testing.T) {
	for _, pair := range [][2]string{{"192.0.2.1", "10.0.1.1"}, {"2001:db8::1", "2001:db8::2"}} {
		src, dst := netip.MustParseAddr(pair[0]), netip.MustParseAddr(pair[1])
		frame := SYNFrame(src, dst, 1234, 80)
		var r decode.Record
		var d decode.Decoder
		status := d.Decode(&r, decode.LinkEthernet, frame, uint32(len(frame)))
		if status != decode.OK {
			t.Fatal(pair, status)
		}
		if r.Proto != 6 || r.TCPFlags != 2 || r.SrcPort != 1234 || r.DstPort != 80 ||
			r.Dst != address(dst) || len(frame) < minFrame {
			t.Errorf("%v: %+v in %d bytes", pair, r, len(frame))
		}
	}
}

// TestSendFrames reaches all queues, as flows spread over them.
func TestSendFrames(t *testing.T) {
	l := New(t, Options{Queues: 4})
	dropAll(t, l)
	frames := make([][]byte, 1000)
	for i := range frames {
		frames[i] = UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1"),
			uint16(1024+i), 4444, 64)
	}
	if sent, err := l.SendFrames(0, frames); err != nil || sent != len(frames) {
		t.Fatal(sent, err)
	}
	eventually(t, "all at the other end", func() bool {
		return arrived(t, l) == uint64(len(frames))
	})
	all, err := l.Counters(Sut, 0)
	if err != nil {
		t.Fatal(err)
	}
	for q := range 4 {
		if n := all[fmt.Sprintf("rx_queue_%d_xdp_packets", q)]; n < 100 {
			t.Errorf("queue %d got %d of %d", q, n, len(frames))
		}
	}
}

func TestReplace(t *testing.T) {
	l := New(t, Options{Queues: 2, Links: 2})
	frame := udp("198.18.0.1", "10.0.1.1", 64)
	g := generator(t, l, GeneratorConfig{Frame: frame})
	for range 3 {
		before := [...]int{device(t, l, Gen).Index, device(t, l, Sut).Index}
		if err := l.Replace(0); err != nil {
			t.Fatal(err)
		}
		after := [...]int{device(t, l, Gen).Index, device(t, l, Sut).Index}
		if after[Gen] == before[Gen] || after[Sut] == before[Sut] {
			t.Errorf("indexes %v, then %v", before, after)
		}
		dropAll(t, l)
		if _, err := g.Send(100); err != nil {
			t.Fatal(err)
		}
		eventually(t, "through the new link", func() bool { return arrived(t, l) == 100 })
	}
	if err := errors.Join(l.Remove(1), l.Make(1), l.Remove(1)); err != nil {
		t.Error(err)
	}
	if err := l.Remove(1); err == nil {
		t.Error("removed twice")
	}
}

func TestLinkDownUp(t *testing.T) {
	l := New(t, Options{})
	running := func() bool { return device(t, l, Sut).RawFlags&unix.IFF_RUNNING != 0 }
	up := func() bool { return device(t, l, Sut).Flags&net.FlagUp != 0 }
	eventually(t, "a link", running)
	for range 3 {
		if err := l.LinkDown(Gen, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "no link", func() bool { return up() && !running() })
		if err := l.LinkUp(Gen, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a link", running)
		if err := l.LinkDown(Sut, 0); err != nil || up() {
			t.Fatal(err, up())
		}
		if err := l.LinkUp(Sut, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a link", running)
	}
}

func TestSetQueues(t *testing.T) {
	l := New(t, Options{Queues: 4, MTU: 9000})
	dropAll(t, l) // with it the peer may not have more queues to send than this end to receive
	for _, n := range []int{2, 4, 1, 3, 4} {
		if err := l.SetQueues(0, n); err != nil {
			t.Fatal(err)
		}
		for _, side := range []Side{Gen, Sut} {
			if got, err := l.queues(side, 0); err != nil || got != n {
				t.Errorf("%s has %d queues, want %d: %v", side.Interface(0), got, n, err)
			}
		}
	}
	if err := l.SetQueues(0, 5); err == nil {
		t.Error("more queues than there are")
	}
	if got := device(t, l, Sut).MTU; got != 9000 {
		t.Errorf("MTU %d", got)
	}
	if err := l.SetMTU(0, 1400); err != nil || device(t, l, Sut).MTU != 1400 ||
		device(t, l, Gen).MTU != 1400 {
		t.Error(err, "MTU not changed")
	}
}

func TestAddAddress(t *testing.T) {
	l := New(t, Options{})
	for _, ends := range [][2]string{{"10.9.0.1/24", "10.9.0.2/24"},
		{"2001:db8::1/64", "2001:db8::2/64"}} {
		sut, gen := netip.MustParsePrefix(ends[0]), netip.MustParsePrefix(ends[1])
		if err := errors.Join(l.AddAddress(Sut, 0, sut), l.AddAddress(Gen, 0, gen)); err != nil {
			t.Fatal(err)
		}
		var in, out *net.UDPConn
		to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(sut.Addr(), 5555))
		err := errors.Join(
			l.Sut().Do(func() (err error) { in, err = net.ListenUDP("udp", to); return err }),
			l.Gen().Do(func() (err error) { out, err = net.DialUDP("udp", nil, to); return err }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = in.Close(), out.Close() })
		if _, err := out.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = in.SetReadDeadline(time.Now().Add(patience))
		got := make([]byte, 16)
		n, from, err := in.ReadFromUDPAddrPort(got)
		if err != nil || string(got[:n]) != "hello" || from.Addr().Unmap() != gen.Addr() {
			t.Errorf("got %q from %v: %v", got[:n], from, err)
		}
	}
}

func exists(n Namespace) bool {
	_, err := os.Stat(filepath.Join(namespaces, n.Name))
	return !errors.Is(err, os.ErrNotExist)
}

func TestClose(t *testing.T) {
	l := New(t, Options{Links: 2})
	if !exists(l.Gen()) || !exists(l.Sut()) {
		t.Fatal("no names")
	}
	cmd := exec.Command("sleep", "60") // keeps the namespace, but not its links
	if err := l.Sut().Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	there, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	if here, _ := os.Readlink("/proc/self/ns/net"); err != nil || here == there {
		t.Errorf("started in the test's own namespace: %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if exists(l.Gen()) || exists(l.Sut()) {
		t.Error("names left")
	}
	links, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", cmd.Process.Pid))
	if err != nil || bytes.Contains(links, []byte("mirror")) {
		t.Errorf("links left: %s %v", links, err)
	}
}

// TestStale leaves namespaces of a process that is dead, and of one that is not.
func TestStale(t *testing.T) {
	l := New(t, Options{})
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	dead := Namespace{fmt.Sprintf("weir-%d-0-sut", cmd.Process.Pid)}
	foreign := Namespace{fmt.Sprintf("weir-%d-0-other", cmd.Process.Pid)}
	for _, n := range []Namespace{dead, foreign} {
		if err := n.create(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.remove() })
	}
	second := New(t, Options{})
	if exists(dead) {
		t.Error("stale namespace left")
	}
	if !exists(foreign) || !exists(l.Sut()) || !exists(second.Sut()) {
		t.Error("too much removed")
	}
	if l.Sut() == second.Sut() {
		t.Error("two labs of one name")
	}
}

func TestRun(t *testing.T) {
	l := New(t, Options{})
	dropAll(t, l)
	frame := udp("198.18.0.1", "10.0.1.1", 64)
	for _, pps := range []float64{500, 100_000} {
		g := generator(t, l, GeneratorConfig{Frame: frame, CPU: 1})
		length := time.Second
		if testing.Short() {
			length = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), length)
		var told uint64
		begin := time.Now()
		err := g.Run(ctx, pps, func(sent uint64) { told = sent })
		cancel()
		want := pps * time.Since(begin).Seconds()
		if err != nil || told != g.Sent() {
			t.Errorf("%v: told of %d, sent %d", err, told, g.Sent())
		}
		// A machine that is busy with other things makes it slower, nothing makes it faster.
		if sent := float64(told); sent > want*1.05 || sent < want/4 {
			t.Errorf("sent %d, want %.0f", told, want)
		}
	}
}

func TestGenerator_Failure(t *testing.T) {
	l := New(t, Options{})
	frame := udp("198.18.0.1", "10.0.1.1", 64)
	for name, c := range map[string]GeneratorConfig{
		"link":         {Frame: frame, Link: 1},
		"patch beyond": {Frame: frame, Patches: []Patch{{Offset: 61, Width: 4}}},
		"patch before": {Frame: frame, Patches: []Patch{{Offset: -1, Width: 4}}},
		"width":        {Frame: frame, Patches: []Patch{{Width: 3}}},
		"length":       {Frame: make([]byte, 1515)},
	} {
		if g, err := l.Generator(c); err == nil {
			t.Errorf("%s: no error", name)
			_ = g.Close()
		}
	}
	if _, err := generator(t, l, GeneratorConfig{Frame: frame, CPU: 1000}).Send(1); err == nil {
		t.Error("sent on CPU 1000")
	}
	g := generator(t, l, GeneratorConfig{Frame: frame})
	if err := g.Run(t.Context(), math.NaN(), nil); err == nil {
		t.Error("ran at no rate")
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(t.Context(), 1000, nil) }()
	eventually(t, "running", func() bool { return g.Sent() > 0 })
	sent := make(chan error, 1)
	go func() { sent <- g.Close() }()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Error("run:", err)
		}
	case <-time.After(patience):
		t.Fatal("Close does not end Run")
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if _, err := g.Send(1); !errors.Is(err, os.ErrClosed) {
		t.Error("send:", err)
	}
}
