package fastpath

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"

	"weir/counters"
	"weir/ring/ringtest"
)

// TestHandOver lets a worker count on its own goroutine while this one flips and merges: nothing
// may be lost or counted twice.
func TestHandOver(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	const frames = 200_000
	data := udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	for i := range frames {
		r.source.Add(ringtest.Frame{Time: int64(i), Link: 1, Data: data})
	}
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() { done <- r.Run(&stop) }()
	var packets, received uint64
	for flips := 0; received < frames; flips++ {
		old := r.tables[(r.seq-1)&1]
		r.seq++
		r.Publish(&Epoch{
			Seq: r.seq, Policy: r.policy, Table: r.tables[(r.seq-1)&1], Directory: r.dir,
		})
		for r.Acked() != r.seq {
			runtime.Gosched()
		}
		received += old.Stats.Received
		r.merger.Reset(0)
		r.merger.Add(old, 1)
		if e := r.find("10.0.0.9", false); e != nil {
			packets += e.Packets(counters.UDP)
		}
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if packets != frames {
		t.Errorf("%d packets merged of %d", packets, frames)
	}
}

// TestReadBeforeAckIsARace proves that the race detector watches the hand-over: a control plane
// that reads a table before the acknowledgement must be caught.
func TestReadBeforeAckIsARace(t *testing.T) {
	if !raceDetector {
		t.Skip("needs the race detector: go test -race")
	}
	const child = "WEIR_TEST_READ_EARLY"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestReadBeforeAckIsARace$")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("DATA RACE")) {
			t.Errorf("reading before the acknowledgement was not caught: %v\n%s", err, out)
		}
		return
	}
	r := newRig(t, Limits{}, "10.0.0.0/24")
	data := udp("8.8.8.8", "10.0.0.9", 1, 80, 60)
	for i := range 100_000 {
		r.source.Add(ringtest.Frame{Time: int64(i), Link: 1, Data: data})
	}
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() { done <- r.Run(&stop) }()
	for r.source.Stats().Received < 99_000 {
		r.merger.Add(r.tables[0], 1) // too early: the worker still counts into it
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
