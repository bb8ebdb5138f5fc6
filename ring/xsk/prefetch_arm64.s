#include "textflag.h"

// func prefetchFrames(umem *byte, descs *Desc, n int)
TEXT ·prefetchFrames(SB), NOSPLIT, $0-24
	MOVD umem+0(FP), R0
	MOVD descs+8(FP), R1
	MOVD n+16(FP), R2
	CMP  $0, R2
	BLE  done
next:
	MOVD 0(R1), R4           // desc.Addr
	ADD  R0, R4
	PRFM (R4), PLDL2KEEP
	ADD  $16, R1
	SUBS $1, R2
	BNE  next
done:
	RET
