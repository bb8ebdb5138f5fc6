#include "textflag.h"

// func prefetchSlots(base *Slot, ops []Op)
TEXT ·prefetchSlots(SB), NOSPLIT, $0-32
	MOVQ base+0(FP), AX
	MOVQ ops_base+8(FP), SI
	MOVQ ops_len+16(FP), CX
	TESTQ CX, CX
	JZ done
next:
	MOVL (SI), DX
	SHLQ $6, DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $20, SI
	DECQ CX
	JNZ next
done:
	RET

// func prefetchLines(lines []*uint64)
TEXT ·prefetchLines(SB), NOSPLIT, $0-24
	MOVQ lines_base+0(FP), SI
	MOVQ lines_len+8(FP), CX
	TESTQ CX, CX
	JZ end
more:
	MOVQ (SI), DX
	PREFETCHT0 (DX)
	ADDQ $8, SI
	DECQ CX
	JNZ more
end:
	RET
