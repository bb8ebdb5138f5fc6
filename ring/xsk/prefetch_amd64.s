#include "textflag.h"

// func prefetchFrames(umem *byte, descs *Desc, n int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVQ umem+0(FP), AX
	MOVQ descs+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL $96, R8             // as far as headers reach
	TESTQ CX, CX
	JLE done
next:
	MOVQ 0(SI), DX           // desc.Addr
	MOVL 8(SI), BX           // desc.Len
	CMPL BX, R8
	CMOVLHI R8, BX
	ADDQ DX, BX
	PREFETCHT1 (AX)(DX*1)
	PREFETCHT1 -1(AX)(BX*1)
	ADDQ $16, SI
	DECQ CX
	JNZ next
done:
	RET
