#include "textflag.h"

// func prefetchFrames(mem *byte, frames *Frame, n int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVD mem+0(FP), R0
	MOVD frames+8(FP), R1
	MOVD n+16(FP), R2
	CMP  $0, R2
	BLE  done
next:
	MOVWU 8(R1), R4          // frame.Off
	ADD  R0, R4
	PRFM (R4), PLDL2KEEP
	ADD  $24, R1
	SUBS $1, R2
	BNE  next
done:
	RET
