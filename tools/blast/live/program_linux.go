package live

import (
	"math/bits"

	"github.com/cilium/ebpf/asm"
)

// state is what a Kernel and its program share.
type state struct {
	Count uint64 // frames sent, ever
	Limit uint64 // where Count stops, so that runs which a signal interrupted may be repeated
	Index uint64 // of the interface to send to
	Gap   uint64 // nanoseconds from one frame to the next at least; 0: as fast as they go
	Next  uint64 // the kernel's clock when the next frame may go, if there is a gap
}

// Offsets in state.
const (
	offCount = 0
	offLimit = 8
	offIndex = 16
	offGap   = 24
	offNext  = 32
)

// waits is how often a program looks at the clock before it sends a frame early: so that gaps up to
// some microseconds are kept, and the kernel is not held up for long.
const waits = 200

// The frames that a program sends of a stream lie behind the state, in slots of a power of two: 4
// bytes of length, 4 that are free, and the frame.
const (
	stateLen  = 64
	slotFrame = 8
	minShift  = 7 // of one slot
	maxShift  = 11
	slotRoom  = 1<<maxShift - slotFrame
)

// slotShift returns the size of the slots that hold frames of up to maxLen bytes.
func slotShift(maxLen int) int { return max(bits.Len(uint(maxLen+slotFrame-1)), minShift) }

// The values of enum xdp_action that we return, and the offsets in struct xdp_md that we read.
const (
	xdpDrop = 1
	mdData  = 0
	mdEnd   = 4
)

// Registers that functions in the kernel leave alone.
const (
	regContext = asm.R6
	regState   = asm.R7
	regCount   = asm.R8
	regFrame   = asm.R9
)

// patching returns the program that sends copies of one frame of that length, with patches.
func patching(shared, length int, patches []Patch) asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(regFrame, asm.R1, mdData, asm.Word),
		asm.LoadMem(asm.R2, asm.R1, mdEnd, asm.Word),
		asm.Mov.Reg(asm.R3, regFrame),
		asm.Add.Imm(asm.R3, int32(length)),
		asm.JGT.Reg(asm.R3, asm.R2, "drop"),
	}
	code = append(code, begin(shared)...)
	code = append(code, pace()...)
	for i := range patches {
		code = append(code, patches[i].instructions()...)
	}
	return append(code, end()...)
}

// copying returns the program that sends the frames in the slots. It is run on a frame of length
// bytes, the longest that there is.
func copying(shared, length int) asm.Instructions {
	shift := slotShift(length)
	code := asm.Instructions{asm.Mov.Reg(regContext, asm.R1)}
	code = append(code, begin(shared)...)
	code = append(code, pace()...)
	code = append(code,
		asm.Mov.Reg(regFrame, regCount),
		asm.And.Imm(regFrame, MaxBurst-1),
		asm.LSh.Imm(regFrame, int32(shift)),
		asm.Add.Reg(regFrame, regState),
		asm.LoadMem(asm.R2, regFrame, stateLen, asm.Word),
		asm.Add.Imm(asm.R2, -int32(length)),
		asm.JEq.Imm(asm.R2, 0, "whole"),
		asm.Mov.Reg(asm.R1, regContext),
		asm.FnXdpAdjustTail.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),

		asm.LoadMem(asm.R4, regFrame, stateLen, asm.Word).WithSymbol("whole"),
		asm.JEq.Imm(asm.R4, 0, "drop"), // for the verifier, both
		asm.JGT.Imm(asm.R4, int32(1)<<shift-slotFrame, "drop"),
		asm.Mov.Reg(asm.R1, regContext),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, regFrame),
		asm.Add.Imm(asm.R3, stateLen+slotFrame),
		asm.FnXdpStoreBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),
	)
	return append(code, end()...)
}

// begin ends a run that has sent as much as it should.
func begin(shared int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapValue(regState, shared, 0),
		asm.LoadMem(regCount, regState, offCount, asm.DWord),
		asm.LoadMem(asm.R1, regState, offLimit, asm.DWord),
		asm.JGE.Reg(regCount, asm.R1, "drop"),
	}
}

// pace waits until the frame may go. The count of looks lies on the stack.
func pace() asm.Instructions {
	const looks = -8
	return asm.Instructions{
		asm.LoadMem(asm.R1, regState, offGap, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "paced"),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, looks, asm.R1, asm.DWord),
		asm.FnKtimeGetNs.Call().WithSymbol("look"),
		asm.LoadMem(asm.R1, regState, offNext, asm.DWord),
		asm.JGE.Reg(asm.R0, asm.R1, "due"),
		asm.LoadMem(asm.R1, asm.RFP, looks, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, looks, asm.R1, asm.DWord),
		asm.JLT.Imm(asm.R1, waits, "look"),
		asm.LoadMem(asm.R1, regState, offGap, asm.DWord).WithSymbol("due"),
		asm.Add.Reg(asm.R0, asm.R1),
		asm.StoreMem(regState, offNext, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("paced"),
	}
}

// end counts the frame and redirects it.
func end() asm.Instructions {
	return asm.Instructions{
		asm.Add.Imm(regCount, 1),
		asm.StoreMem(regState, offCount, regCount, asm.DWord),
		asm.LoadMem(asm.R1, regState, offIndex, asm.DWord),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return(),
	}
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
