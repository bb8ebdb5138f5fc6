//go:build !linux

package zerocopy

import "errors"

func newTapCard(int) (card, error) { return nil, errors.ErrUnsupported }
