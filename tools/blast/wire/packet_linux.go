package wire

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"weir/tools/blast"
	"weir/tools/blast/live"
)

// packets is a live.Socket as a Transmitter.
type packets struct {
	*live.Socket
	buf  [blast.MaxFrame + 64]byte // with tags and tunnels
	sent uint64
}

// Send implements Transmitter. A full queue is waited for.
func (p *packets) Send(s blast.Stream, n int) (sent int, err error) {
	for ; sent < n; sent++ {
		if err := p.write(p.buf[:s.Next(p.buf[:])]); err != nil {
			return sent, err
		}
		p.sent++
	}
	return sent, nil
}

// write sends one frame. The clock is asked only where that takes long.
func (p *packets) write(frame []byte) error {
	var since time.Time
	for {
		err := p.Write(frame)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EAGAIN) &&
			!errors.Is(err, unix.EINTR):
			return fmt.Errorf("send: %w", err)
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > patience:
			return errStuck
		}
		time.Sleep(shortNap)
	}
}

// Burst implements Transmitter.
func (p *packets) Burst() int { return burst }

// Drain implements Transmitter: what the kernel took it sends.
func (p *packets) Drain() error { return nil }

// Totals implements Transmitter.
func (p *packets) Totals() Totals { return Totals{Sent: p.sent} }
