package bench

import (
	"context"
	"errors"
)

// HoldRate runs the daemon.
func HoldRate(context.Context, *HoldConfig) ([]Hold, error) { return nil, errors.New("not yet") }
