#include "textflag.h"

// func prefetchFrames(umem *byte, descs *Desc, n int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVQ umem+0(FP), AX
	MOVQ descs+8(FP), SI
	MOVQ n+16(FP), CX
	TESTQ CX, CX
	JLE done
next:
	MOVQ 0(SI), DX           // desc.Addr
	PREFETCHT1 (AX)(DX*1)
	ADDQ $16, SI
	DECQ CX
	JNZ next
done:
	RET
