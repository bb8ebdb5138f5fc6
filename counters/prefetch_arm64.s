#include "textflag.h"

// func prefetchSlots(base *Slot, ops []Op)
TEXT ·prefetchSlots(SB), NOSPLIT, $0-32
	MOVD base+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	CBZ  R2, done
next:
	MOVWU 0(R1), R3          // op.Slot
	ADD   R3<<6, R0, R3
	PRFM  (R3), PLDL1KEEP
	ADD   $20, R1
	SUBS  $1, R2
	BNE   next
done:
	RET

// func prefetchFlows(base *Slot, ops []Op, small, big *uint64)
TEXT ·prefetchFlows(SB), NOSPLIT, $0-48
	MOVD base+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	MOVD small+32(FP), R8
	MOVD big+40(FP), R9
	CBZ  R2, end
more:
	MOVWU 0(R1), R3          // op.Slot
	MOVWU 4(R1), R4          // op.Hash
	ADD   R3<<6, R0, R3
	MOVWU 60(R3), R5         // slot.state
	MOVWU 48(R3), R6         // slot.flow
	AND   $0x3ffff, R6       // slab
	AND   $4095, R4          // position among 4096
	TBNZ  $4, R5, large      // flagBig
	TBZ   $3, R5, skip       // flagSmall
	LSR   $8, R4             // word of a small slab
	ADD   R6<<7, R8, R6      // 128 bytes a slab
	ADD   R4<<3, R6, R6
	PRFM  (R6), PLDL1KEEP
	B     skip
large:
	LSR   $6, R4             // word of a big slab
	ADD   R6<<9, R9, R6      // 512 bytes a slab
	ADD   R4<<3, R6, R6
	PRFM  (R6), PLDL1KEEP
skip:
	ADD   $20, R1
	SUBS  $1, R2
	BNE   more
end:
	RET
