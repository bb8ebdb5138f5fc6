#include "textflag.h"

// func prefetchFrames(mem *byte, frames *Frame, n int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVQ mem+0(FP), AX
	MOVQ frames+8(FP), SI
	MOVQ n+16(FP), CX
	TESTQ CX, CX
	JLE done
next:
	MOVL 8(SI), DX           // frame.Off
	PREFETCHT1 (AX)(DX*1)
	ADDQ $24, SI
	DECQ CX
	JNZ next
done:
	RET
