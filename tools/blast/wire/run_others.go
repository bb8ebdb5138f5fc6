//go:build !linux

package wire

import (
	"context"
	"errors"
)

// Run returns an error that is errors.ErrUnsupported.
func Run(context.Context, Config) (Result, error) {
	return Result{}, errors.Join(errors.New("sending frames needs Linux"), errors.ErrUnsupported)
}
