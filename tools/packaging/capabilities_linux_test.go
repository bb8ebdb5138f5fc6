package packaging

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/ring/afxdp"
	"weir/ring/nic"
)

// probeVariable makes this test's binary a probe: an unprivileged program that does what weir's
// capture does, on this interface, and prints a line for each step.
const probeVariable = "WEIR_CAPABILITY_PROBE"

func TestMain(m *testing.M) {
	if name := os.Getenv(probeVariable); name != "" {
		probe(name)
		return
	}
	os.Exit(m.Run())
}

// memlockVariable is how many bytes a probe may lock in memory; 0: as many as the test.
const memlockVariable = "WEIR_CAPABILITY_MEMLOCK"

// The probe's steps.
const (
	makeMap     = "make the map of sockets"
	loadProgram = "load the XDP program"
	attach      = "attach it by a link"
	openXDP     = "open an AF_XDP socket"
	lockFrames  = "register its frames"
	openPacket  = "open a packet socket with a ring in a fanout group"
	promiscuous = "switch to promiscuous mode"
	capture     = "capture: all of it, by weir's own code"
)

var steps = []string{
	makeMap, loadProgram, attach, openXDP, lockFrames, openPacket, promiscuous, capture,
}

// probe prints what works with the rights that this process has.
func probe(name string) {
	if n, err := strconv.ParseUint(os.Getenv(memlockVariable), 10, 64); err == nil && n > 0 {
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: n, Max: n})
	}
	say := func(step string, err error) {
		if err == nil {
			fmt.Println(step)
		} else {
			fmt.Printf("%s: %v\n", step, err)
		}
	}
	device, err := netlink.LinkByName(name)
	if err != nil {
		say("find "+name, err)
		return
	}
	index := device.Attrs().Index

	xsks, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 1,
	})
	say(makeMap, err)
	defer xsks.Close()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	say(loadProgram, err)
	if err == nil {
		l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: index})
		say(attach, err)
		if err == nil {
			_ = l.Close()
		}
	} else {
		say(attach, errors.New("no program"))
	}
	say(openXDP, withSocket(unix.AF_XDP, func(int) error { return nil }))
	say(lockFrames, withSocket(unix.AF_XDP, register))
	say(openPacket, withSocket(unix.AF_PACKET, func(fd int) error { return join(fd, index) }))
	member, err := nic.NewPromiscuous(index)
	say(promiscuous, err)
	if err == nil {
		_ = member.Close()
	}
	say(capture, tuned(name))
}

// tuned captures with everything that is asked of the kernel beside frames, and returns what of it
// was refused. Deferring interrupts takes Linux 6.13 where /sys is not writable.
func tuned(name string) error {
	notes, err := os.MkdirTemp("", "weir")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(notes) }()
	mirror, err := afxdp.Open(afxdp.Config{
		Interface: name, Frames: frames, Promiscuous: true, BusyPoll: afxdp.BusyOn,
		DeferIRQs: true, Notes: notes,
		Clock: func() int64 { return time.Now().UnixNano() },
	})
	if err != nil {
		return err
	}
	defer mirror.Close()
	st := mirror.Status()
	if fault := st.Queues[0].BusyFault; fault != "" {
		return errors.New("busy polling: " + fault)
	}
	h, err := nic.Open()
	if err != nil {
		return err
	}
	defer h.Close()
	i, err := h.Find(name)
	if err != nil {
		return err
	}
	if _, err := h.Timings(&i); errors.Is(err, errors.ErrUnsupported) || st.Fault == "" {
		return nil
	}
	return errors.New("deferring interrupts: " + st.Fault)
}

// frames are few, so that the ordinary limit of locked memory has room for them.
const frames = 256

func withSocket(family int, use func(fd int) error) error {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(use(fd), unix.Close(fd))
}

// register gives the kernel memory for frames, which it locks.
func register(fd int) error {
	mem, err := unix.Mmap(-1, 0, frames*2048, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))), Len: uint64(len(mem)),
		Size: 2048,
	}
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP,
		unix.XDP_UMEM_REG, uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// join makes fd receive from the interface with others of its group.
func join(fd, index int) error {
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in network order
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3),
		unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: 1 << 16, Block_nr: 4, Frame_size: 1 << 11, Frame_nr: 128, Retire_blk_tov: 1,
		}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, 7|unix.PACKET_FANOUT_HASH<<16),
	)
}

// numbers of the capabilities that may matter.
var numbers = map[string]uintptr{
	"CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_BPF": unix.CAP_BPF,
	"CAP_IPC_LOCK": unix.CAP_IPC_LOCK,
}

// network returns the name of an interface in a network namespace of the calling goroutine's own,
// which ends with it.
func network(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to hand out capabilities one by one")
	}
	runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace here: %v", err)
	}
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "weir0"}, PeerName: "weir1"}
	if err := netlink.LinkAdd(pair); err != nil {
		t.Skipf("no pair of interfaces here: %v", err)
	}
	if err := netlink.LinkSetUp(pair); err != nil {
		t.Fatal(err)
	}
	return pair.Name
}

// tryWith runs the probe as a user without any rights but these capabilities, and with that limit
// of locked memory unless 0. It returns the steps that failed, with why.
func tryWith(t *testing.T, name string, capabilities []string, memlock uint64) map[string]string {
	t.Helper()
	const nobody = 65534
	attributes := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	for _, c := range capabilities {
		attributes.AmbientCaps = append(attributes.AmbientCaps, numbers[c])
	}
	// By this name, because the way to the test's binary is closed to others.
	run := exec.Command("/proc/self/exe")
	run.Env = []string{
		probeVariable + "=" + name, fmt.Sprint(memlockVariable, "=", memlock),
		"GORACE=atexit_sleep_ms=0", // a second each, otherwise
	}
	run.SysProcAttr = attributes
	text, err := run.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("cannot hand out %v here: %v", capabilities, err)
	}
	if err != nil {
		t.Fatalf("with %v: %v\n%s", capabilities, err, text)
	}
	failed := map[string]string{}
	for _, step := range steps {
		_, rest, ok := strings.Cut("\n"+string(text), "\n"+step)
		if why, _, _ := strings.Cut(rest, "\n"); !ok || why != "" {
			failed[step] = strings.TrimPrefix(why, ": ")
		}
	}
	return failed
}

// TestCapabilities: what the unit grants is enough, and nothing of it can be left out.
func TestCapabilities(t *testing.T) {
	name := network(t)
	report := func(what string, failed map[string]string) {
		for _, step := range steps {
			if why, ok := failed[step]; ok {
				t.Logf("%s: %s: %s", what, step, why)
			}
		}
	}
	if failed := tryWith(t, name, granted, 0); len(failed) > 0 {
		report("as in the unit", failed)
		t.Error("the unit's capabilities are not enough")
	}
	for _, c := range granted {
		others := slices.DeleteFunc(slices.Clone(granted), func(g string) bool { return g == c })
		failed := tryWith(t, name, others, 0)
		report("without "+c, failed)
		if _, ok := failed[capture]; !ok {
			t.Errorf("%s is not needed", c)
		}
	}
}

// TestPacketSocketsTakeLess: who does without AF_XDP can do without two of the capabilities.
func TestPacketSocketsTakeLess(t *testing.T) {
	failed := tryWith(t, network(t), []string{"CAP_NET_RAW"}, 0)
	for _, step := range []string{openPacket, promiscuous} {
		if why, ok := failed[step]; ok {
			t.Errorf("%s: %s", step, why)
		}
	}
}

// TestMemoryLock: with the unit's limit of locked memory CAP_IPC_LOCK is not needed; with a small
// one it is.
func TestMemoryLock(t *testing.T) {
	name := network(t)
	const small = 64 << 10
	failed := tryWith(t, name, granted, small)
	if len(failed) != 2 || failed[lockFrames] == "" || failed[capture] == "" {
		t.Errorf("with room for %d bytes these fail: %v", small, failed)
	}
	more := append(slices.Clone(granted), "CAP_IPC_LOCK")
	if failed := tryWith(t, name, more, small); len(failed) > 0 {
		t.Errorf("with CAP_IPC_LOCK these fail: %v", failed)
	}
}
