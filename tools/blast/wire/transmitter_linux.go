package wire

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"weir/tools/blast"
)

// Transmitter sends frames of a stream from one interface.
//
// Concurrency: for one goroutine, which stays on its thread.
type Transmitter interface {
	// Send makes the next n frames of s, gives them to the kernel, and returns how many of them
	// it was given.
	Send(s blast.Stream, n int) (int, error)
	// Burst is how many frames are best given to Send at once, when there are so many.
	Burst() int
	// Drain waits until the kernel is done with all of them.
	Drain() error
	// Totals says what became of them.
	Totals() Totals
	Close() error
}

// Totals are what a Transmitter counts.
type Totals struct {
	Sent    uint64 // frames that the kernel took
	Refused uint64 // and those that it did not
}

// patience is how long a kernel may take no frame before that is an error.
const patience = 2 * time.Second

// errStuck says that it took longer.
var errStuck = fmt.Errorf("the interface has taken no frame for %v", patience)

// explain adds what to do about an error.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w (sending needs root, or CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF)", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w (another AF_XDP socket has the queue)", err)
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%w (ip link set IFACE up)", err)
	}
	return err
}
