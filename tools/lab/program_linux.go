package lab

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// state is what a generator and its program share.
type state struct {
	Count uint64 // frames sent, ever
	Limit uint64 // where Count stops, so that runs which a signal interrupted may be repeated
	Index uint64 // of the interface to send to
}

// The values of enum xdp_action that we return, and the offsets in struct xdp_md that we read.
const (
	xdpDrop = 1
	mdData  = 0
	mdEnd   = 4
)

// Registers that functions in the kernel leave alone.
const (
	regState = asm.R7
	regCount = asm.R8
	regFrame = asm.R9
)

func loadProgram(c *GeneratorConfig) (*ebpf.Program, *ebpf.Map, error) {
	shared, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "weir_lab", Type: ebpf.Array, KeySize: 4, ValueSize: 24, MaxEntries: 1,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make generator's map: %w", err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "weir_lab", Type: ebpf.XDP, License: "GPL",
		Instructions: instructions(c, shared.FD()),
	})
	if err != nil {
		_ = shared.Close()
		return nil, nil, fmt.Errorf("load generator's program: %w", err)
	}
	return program, shared, nil
}

func instructions(c *GeneratorConfig, shared int) asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(regFrame, asm.R1, mdData, asm.Word),
		asm.LoadMem(asm.R2, asm.R1, mdEnd, asm.Word),
		asm.Mov.Reg(asm.R3, regFrame),
		asm.Add.Imm(asm.R3, int32(len(c.Frame))),
		asm.JGT.Reg(asm.R3, asm.R2, "drop"),
		asm.LoadMapValue(regState, shared, 0),
		asm.LoadMem(regCount, regState, 0, asm.DWord),
		asm.LoadMem(asm.R1, regState, 8, asm.DWord),
		asm.JGE.Reg(regCount, asm.R1, "drop"),
	}
	for i := range c.Patches {
		code = append(code, c.Patches[i].instructions()...)
	}
	return append(code,
		asm.Add.Imm(regCount, 1),
		asm.StoreMem(regState, 0, regCount, asm.DWord),
		asm.LoadMem(asm.R1, regState, 16, asm.DWord),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return(),
	)
}

func (p *Patch) instructions() asm.Instructions {
	size := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word}[p.Width]
	number := asm.Mov.Reg(asm.R0, regCount)
	if p.Random {
		number = asm.FnGetPrandomU32.Call()
	}
	code := asm.Instructions{
		number,
		asm.And.Imm32(asm.R0, int32(p.Mask)),
		asm.Or.Imm32(asm.R0, int32(p.Base)),
	}
	if p.Width > 1 {
		code = append(code, asm.HostTo(asm.BE, asm.R0, size))
	}
	return append(code, asm.StoreMem(regFrame, int16(p.Offset), asm.R0, size))
}
