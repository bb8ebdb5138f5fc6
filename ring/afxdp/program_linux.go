package afxdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Verdicts of an XDP program (enum xdp_action).
const xdpPass = 2

// rxQueueIndex is the offset of that field in struct xdp_md.
const rxQueueIndex = 16

// program sends frames of queues that have a socket in xsks there, and passes all others to the
// host, counting them by queue.
type program struct {
	prog   *ebpf.Program
	older  []*ebpf.Program // that prog replaced
	frags  bool            // it accepts frames of several buffers
	xsks   *ebpf.Map       // queue → socket
	passed *ebpf.Map       // queue → frames, per CPU
	queues int
}

// newProgram loads the program for queues 0 to queues-1; frames of queues beyond pass uncounted.
// With frags it accepts frames of several buffers.
func newProgram(queues int, frags bool) (p *program, err error) {
	p = &program{queues: queues, frags: frags}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	p.xsks, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "weir_xsks", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues),
	})
	if err != nil {
		return p, fmt.Errorf("make the map of sockets: %w", err)
	}
	p.passed, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "weir_passed", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8,
		MaxEntries: uint32(queues),
	})
	if err != nil {
		return p, fmt.Errorf("make the map of passed frames: %w", err)
	}
	p.prog, err = p.load()
	return p, err
}

func (p *program) load() (*ebpf.Program, error) {
	spec := &ebpf.ProgramSpec{
		Name: "weir_mirror", Type: ebpf.XDP, License: "Apache-2.0", Instructions: p.instructions(),
	}
	if p.frags {
		spec.Flags = unix.BPF_F_XDP_HAS_FRAGS
	}
	prog, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, fmt.Errorf("load the XDP program: %w", err)
	}
	return prog, nil
}

// renew puts another program like this one, with the same maps, in its place at l: one that is
// attached already would be left as it is. The older one stays loaded, since drivers may know it
// at queues that are not in use.
func (p *program) renew(l link.Link) error {
	prog, err := p.load()
	if err != nil {
		return err
	}
	if err := l.Update(prog); err != nil {
		return errors.Join(err, prog.Close())
	}
	p.prog, p.older = prog, append(p.older, p.prog)
	return nil
}

func (p *program) instructions() asm.Instructions {
	const queue = -4 // on the stack
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, rxQueueIndex, asm.Word),
		asm.StoreMem(asm.RFP, queue, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, p.xsks.FD()),
		asm.Mov.Imm(asm.R3, xdpPass), // what to return where there is no socket
		asm.FnRedirectMap.Call(),
		asm.JNE.Imm(asm.R0, xdpPass, "exit"),

		asm.LoadMapPtr(asm.R1, p.passed.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, queue),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, xdpPass).WithSymbol("pass"),
		asm.Return().WithSymbol("exit"),
	}
}

// hold sends the frames of a queue to s.
func (p *program) hold(s *socket) error {
	if s.queue >= p.queues {
		return fmt.Errorf("queue %d: the interface had %d at most when it was opened", s.queue,
			p.queues)
	}
	return p.xsks.Update(uint32(s.queue), uint32(s.fd), ebpf.UpdateAny)
}

// leave passes the frames of a queue to the host from now on.
func (p *program) leave(queue int) error {
	err := p.xsks.Delete(uint32(queue))
	if errors.Is(err, ebpf.ErrKeyNotExist) { // the socket's interface is gone
		return nil
	}
	return err
}

// passedFrames returns the frames of all queues that went to the host.
func (p *program) passedFrames() (sum uint64) {
	var perCPU []uint64
	for q := range p.queues {
		if p.passed.Lookup(uint32(q), &perCPU) != nil {
			return sum
		}
		for _, n := range perCPU {
			sum += n
		}
	}
	return sum
}

func (p *program) close() error {
	var errs []error
	for _, prog := range append(p.older, p.prog) {
		errs = append(errs, prog.Close()) // nil: nothing
	}
	if p.passed != nil {
		errs = append(errs, p.passed.Close())
	}
	if p.xsks != nil {
		errs = append(errs, p.xsks.Close())
	}
	return errors.Join(errs...)
}
