package wire

import (
	"runtime"
	"time"

	"weir/ring/afxdp"
	"weir/tools/blast"
)

const (
	xdpFrames = 4096 // in flight
	// xdpBurst is how many frames are made before the kernel is told: about as many as it sends in
	// one call.
	xdpBurst = 32
)

// xdp sends through an AF_XDP socket.
type xdp struct {
	*afxdp.Transmitter
	given uint64
}

func newXDP(index, queue int) (*xdp, error) {
	t, err := afxdp.OpenTransmitter(afxdp.Config{Queues: []int{queue}, Frames: xdpFrames}, index)
	if err != nil {
		return nil, err
	}
	return &xdp{Transmitter: t}, nil
}

// Send implements Transmitter.
func (x *xdp) Send(s blast.Stream, n int) (sent int, err error) {
	var since time.Time // when the kernel took something last; zero: just now
	for sent < n {
		k := x.fill(s, min(n-sent, xdpBurst))
		sent += k
		x.Flush()
		if err := x.kick(k > 0, &since); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// fill makes up to n frames, as many as there is room for.
func (x *xdp) fill(s blast.Stream, n int) (made int) {
	for ; made < n; made++ {
		b := x.Reserve()
		if b == nil {
			break
		}
		x.Commit(s.Next(b))
	}
	x.given += uint64(made)
	return made
}

// kick lets the kernel take frames. Without progress since a time it waits a little, and in the
// end no longer.
func (x *xdp) kick(progress bool, since *time.Time) error {
	ok, err := x.Kick()
	switch {
	case err != nil:
		return err
	case progress:
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	case time.Since(*since) > patience:
		return errStuck
	case !ok:
		time.Sleep(time.Millisecond)
	default:
		runtime.Gosched()
	}
	return nil
}

// Burst implements Transmitter.
func (x *xdp) Burst() int { return burst }

// Drain implements Transmitter.
func (x *xdp) Drain() error {
	var since time.Time
	for before := x.Outstanding(); before > 0; {
		now := x.Outstanding()
		if err := x.kick(now != before, &since); err != nil {
			return err
		}
		before = now
	}
	return nil
}

// Totals implements Transmitter.
func (x *xdp) Totals() Totals {
	refused := x.Refused() + x.Invalid() + uint64(x.Outstanding())
	return Totals{Sent: x.given - refused, Refused: refused}
}
