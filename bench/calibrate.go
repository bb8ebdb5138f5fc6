package bench

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
)

// calibrate measures what the machine does at the moment: multiplications, each of the result of
// the one before and with an OR in between, 4 cycles on the processors of today. It returns
// nanoseconds of CPU time for one.
func calibrate() float64 {
	const count = 1 << 20
	x := uint64(3)
	begin := threadTime()
	for range count {
		x *= x | 5
	}
	used := threadTime() - begin
	runtime.KeepAlive(x)
	return float64(used.Nanoseconds()) / count
}

const (
	chaseBytes = 64 << 20
	chaseLine  = 64
)

// chase is memory in which each cache line names the next of one ring through all of them, in an
// order that no prefetcher foresees.
type chase []byte

func newChase() (chase, error) {
	mem, err := frameMemory(chaseBytes)
	if err != nil {
		return nil, err
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(chaseBytes / chaseLine)
	for i, at := range order {
		next := order[(i+1)%len(order)]
		binary.LittleEndian.PutUint32(mem[at*chaseLine:], uint32(next*chaseLine))
	}
	return mem, nil
}

// load returns the nanoseconds of CPU time of one load whose address the load before gave: the
// price of a miss in what caches the neighbours leave us.
func (c chase) load() float64 {
	const count = 1 << 17
	at := uint32(0)
	begin := threadTime()
	for range count {
		at = binary.LittleEndian.Uint32(c[at:])
	}
	used := threadTime() - begin
	runtime.KeepAlive(at)
	return float64(used.Nanoseconds()) / count
}
