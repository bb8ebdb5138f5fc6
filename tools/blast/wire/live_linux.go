package wire

import (
	"weir/tools/blast"
	"weir/tools/blast/live"
)

// kernel is a live.Kernel as a Transmitter.
type kernel struct {
	*live.Kernel
	index int
	sent  uint64
}

// Send implements Transmitter.
func (k *kernel) Send(s blast.Stream, n int) (int, error) {
	sent, err := k.Kernel.Send(k.index, s, n)
	k.sent += uint64(sent)
	return sent, err
}

// Burst implements Transmitter.
func (k *kernel) Burst() int { return live.MaxBurst }

// Drain implements Transmitter: nothing is under way after Send.
func (k *kernel) Drain() error { return nil }

// Totals implements Transmitter.
func (k *kernel) Totals() Totals { return Totals{Sent: k.sent} }
