//go:build !linux

package afxdp

import (
	"errors"

	"weir/ring/xsk"
)

// Transmitter needs Linux.
type Transmitter struct{ *xsk.Sender }

// OpenTransmitter returns an error that is errors.ErrUnsupported.
func OpenTransmitter(Config, int) (*Transmitter, error) {
	return nil, errors.Join(errors.New("AF_XDP needs Linux 5.9 or later"), errors.ErrUnsupported)
}
