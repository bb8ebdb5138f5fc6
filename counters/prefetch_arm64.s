#include "textflag.h"

// func prefetchSlots(base *Slot, ops []Op)
TEXT ·prefetchSlots(SB), NOSPLIT, $0-32
	MOVD base+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	CBZ  R2, done
next:
	MOVWU 0(R1), R3          // op.Line
	ADD   R3<<6, R0, R3
	PRFM  (R3), PLDL1KEEP
	ADD   $20, R1
	SUBS  $1, R2
	BNE   next
done:
	RET

// func prefetchBitmaps(base *Slot, ops []Op, active, small, big *uint64)
TEXT ·prefetchBitmaps(SB), NOSPLIT, $0-56
	MOVD base+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	MOVD active+32(FP), R7
	MOVD small+40(FP), R8
	MOVD big+48(FP), R9
	CBZ  R2, end
more:
	MOVWU 0(R1), R3          // op.Line
	MOVWU 4(R1), R4          // op.Hash
	LSR   $6, R3, R10        // word of active
	ADD   R3<<6, R0, R3
	MOVWU 60(R3), R5         // slot.state
	TBZ   $0, R5, unseen     // flagSeen
slab:
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
unseen:
	ADD   R10<<3, R7, R10
	PRFM  (R10), PLDL1KEEP
	B     slab

// func prefetchBuckets(tags *uint64, sought []Sought, mask uint32)
TEXT ·prefetchBuckets(SB), NOSPLIT, $0-36
	MOVD  tags+0(FP), R0
	MOVD  sought_base+8(FP), R1
	MOVD  sought_len+16(FP), R2
	MOVWU mask+32(FP), R8
	CBZ   R2, found
bucket:
	MOVD  16(R1), R3         // sought.Hash
	AND   R8, R3
	ADD   R3<<4, R0, R3      // 16 tags
	PRFM  (R3), PLDL1KEEP
	ADD   $32, R1
	SUBS  $1, R2
	BNE   bucket
found:
	RET

// func prefetchFlowIndex(index *uint32, ops []FlowOp)
TEXT ·prefetchFlowIndex(SB), NOSPLIT, $0-32
	MOVD index+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	CBZ  R2, indexed
index:
	MOVWU 36(R1), R3         // op.Slot
	ADD   R3<<2, R0, R3
	PRFM  (R3), PLDL1KEEP
	ADD   $64, R1
	SUBS  $1, R2
	BNE   index
indexed:
	RET

// func prefetchFlowSlots(base *FlowSlot, ops []FlowOp)
TEXT ·prefetchFlowSlots(SB), NOSPLIT, $0-32
	MOVD base+0(FP), R0
	MOVD ops_base+8(FP), R1
	MOVD ops_len+16(FP), R2
	CBZ  R2, fetched
fetch:
	MOVWU 56(R1), R3         // op.line
	CBZ   R3, none
	SUB   $1, R3
	MOVBU 49(R1), R4         // op.ahead
	ADD   R3<<6, R0, R3
	PRFM  (R3), PLDL1KEEP
	TBNZ  $0, R4, far        // aheadFar
age:
	TBNZ  $1, R4, aged       // aheadAge
none:
	ADD   $64, R1
	SUBS  $1, R2
	BNE   fetch
fetched:
	RET
far:
	ADD   $64, R3, R5
	PRFM  (R5), PLDL1KEEP
	B     age
aged:
	ADD   $512, R3, R5
	PRFM  (R5), PLDL1KEEP
	B     none

// func prefetchEntries(base *Entry, order []uint32)
TEXT ·prefetchEntries(SB), NOSPLIT, $0-32
	MOVD base+0(FP), R0
	MOVD order_base+8(FP), R1
	MOVD order_len+16(FP), R2
	CBZ  R2, asked
entry:
	MOVWU 0(R1), R3
	ADD   R3<<7, R0, R3      // 128 bytes an Entry
	PRFM  (R3), PLDL1KEEP
	PRFM  64(R3), PLDL1KEEP
	ADD   $4, R1
	SUBS  $1, R2
	BNE   entry
asked:
	RET

// func prefetchTold(base *Told, order []uint32)
TEXT ·prefetchTold(SB), NOSPLIT, $0-32
	MOVD base+0(FP), R0
	MOVD order_base+8(FP), R1
	MOVD order_len+16(FP), R2
	CBZ  R2, heard
told:
	MOVWU 0(R1), R3
	ADD   R3<<3, R3, R3      // 9 lines a Told
	ADD   R3<<6, R0, R3
	PRFM  (R3), PLDL1KEEP
	ADD   $4, R1
	SUBS  $1, R2
	BNE   told
heard:
	RET

// func prefetchSlab(slab *uint64)
TEXT ·prefetchSlab(SB), NOSPLIT, $0-8
	MOVD slab+0(FP), R0
	PRFM (R0), PLDL1KEEP
	PRFM 64(R0), PLDL1KEEP
	RET
