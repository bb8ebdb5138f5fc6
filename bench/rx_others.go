//go:build !linux

package bench

import (
	"context"
	"errors"
)

var errRxPlatform = errors.New("receiving from an interface needs Linux")

// Rx is not supported on this platform.
func Rx(context.Context, *RxConfig) (RxResult, error) { return RxResult{}, errRxPlatform }

// HoldRate is not supported on this platform.
func HoldRate(context.Context, *HoldConfig) ([]Hold, error) { return nil, errRxPlatform }
