#include "textflag.h"

// func prefetchSlots(base *Slot, ops []Op)
TEXT ·prefetchSlots(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	TESTQ CX, CX
	JZ done
next:
	MOVL (SI), DX            // op.Line
	SHLQ $6, DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $20, SI
	DECQ CX
	JNZ next
done:
	RET

// func prefetchBitmaps(base *Slot, ops []Op, active, small, big *uint64)
TEXT ·prefetchBitmaps(SB), NOSPLIT, $0-56
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	MOVQ active+32(FP), DI
	MOVQ small+40(FP), R8
	MOVQ big+48(FP), R9
	TESTQ CX, CX
	JZ end
more:
	MOVL (SI), DX            // op.Line
	MOVL 4(SI), BX           // op.Hash
	MOVQ DX, R12
	SHLQ $6, DX
	MOVL 60(AX)(DX*1), R10   // slot.state
	TESTL $1, R10            // flagSeen
	JZ unseen
slab:
	MOVL 48(AX)(DX*1), R11   // slot.flow
	ANDL $0x3ffff, R11       // slab
	ANDL $4095, BX           // position among 4096
	TESTL $16, R10           // flagBig
	JNZ large
	TESTL $8, R10            // flagSmall
	JZ skip
	SHLQ $7, R11             // 128 bytes a slab
	SHRL $8, BX              // word of a small slab
	ADDQ R8, R11
	PREFETCHT0 (R11)(BX*8)
	JMP skip
large:
	SHLQ $9, R11             // 512 bytes a slab
	SHRL $6, BX              // word of a big slab
	ADDQ R9, R11
	PREFETCHT0 (R11)(BX*8)
skip:
	ADDQ $20, SI
	DECQ CX
	JNZ more
end:
	RET
unseen:
	SHRQ $6, R12             // word of active
	PREFETCHT0 (DI)(R12*8)
	JMP slab

// func prefetchBuckets(tags *uint64, sought []Sought, mask uint32)
TEXT ·prefetchBuckets(SB), NOSPLIT, $0-36
	MOVQ tags+0(FP), AX
	MOVQ sought_base+8(FP), SI
	MOVQ sought_len+16(FP), CX
	MOVL mask+32(FP), R8
	TESTQ CX, CX
	JZ found
bucket:
	MOVQ 16(SI), DX          // sought.Hash
	ANDL R8, DX
	SHLQ $4, DX              // 16 tags
	PREFETCHT0 (AX)(DX*1)
	ADDQ $32, SI
	DECQ CX
	JNZ bucket
found:
	RET

// func prefetchFlowIndex(index *uint32, ops []FlowOp)
TEXT ·prefetchFlowIndex(SB), NOSPLIT, $0-32
	MOVQ index+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	TESTQ CX, CX
	JZ indexed
index:
	MOVL 36(SI), DX          // op.Slot
	PREFETCHT0 (AX)(DX*4)
	ADDQ $64, SI
	DECQ CX
	JNZ index
indexed:
	RET

// func prefetchFlowSlots(base *FlowSlot, ops []FlowOp)
TEXT ·prefetchFlowSlots(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	TESTQ CX, CX
	JZ fetched
fetch:
	MOVL 56(SI), DX          // op.line
	SUBQ $1, DX
	JCS none
	MOVBLZX 49(SI), BX       // op.ahead
	SHLQ $6, DX
	ADDQ AX, DX
	PREFETCHT0 (DX)
	TESTL $1, BX             // aheadFar
	JNZ far
age:
	TESTL $2, BX             // aheadAge
	JNZ aged
none:
	ADDQ $64, SI
	DECQ CX
	JNZ fetch
fetched:
	RET
far:
	PREFETCHT0 64(DX)
	JMP age
aged:
	PREFETCHT0 512(DX)
	JMP none

// func prefetchEntries(base *Entry, order []uint32)
TEXT ·prefetchEntries(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ order_base+8(FP), SI
	MOVQ order_len+16(FP), CX
	TESTQ CX, CX
	JZ asked
entry:
	MOVL (SI), DX
	SHLQ $7, DX              // 128 bytes an Entry
	PREFETCHT0 (AX)(DX*1)
	PREFETCHT0 64(AX)(DX*1)
	ADDQ $4, SI
	DECQ CX
	JNZ entry
asked:
	RET

// func prefetchTold(base *Told, order []uint32)
TEXT ·prefetchTold(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ order_base+8(FP), SI
	MOVQ order_len+16(FP), CX
	TESTQ CX, CX
	JZ heard
told:
	MOVL (SI), DX
	LEAQ (DX)(DX*8), DX      // 9 lines a Told
	SHLQ $6, DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $4, SI
	DECQ CX
	JNZ told
heard:
	RET

// func prefetchSlab(slab *uint64)
TEXT ·prefetchSlab(SB), NOSPLIT, $0-8
	MOVQ slab+0(FP), AX
	PREFETCHT0 (AX)
	PREFETCHT0 64(AX)
	RET
