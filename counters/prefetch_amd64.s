#include "textflag.h"

// func prefetchSlots(base *Slot, ops []Op)
TEXT ·prefetchSlots(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	TESTQ CX, CX
	JZ done
next:
	MOVL (SI), DX            // op.Slot
	SHLQ $6, DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $20, SI
	DECQ CX
	JNZ next
done:
	RET

// func prefetchFlows(base *Slot, ops []Op, small, big *uint64)
TEXT ·prefetchFlows(SB), NOSPLIT, $0-48
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	MOVQ small+32(FP), R8
	MOVQ big+40(FP), R9
	TESTQ CX, CX
	JZ end
more:
	MOVL (SI), DX            // op.Slot
	MOVL 4(SI), BX           // op.Hash
	SHLQ $6, DX
	MOVL 60(AX)(DX*1), R10   // slot.state
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
