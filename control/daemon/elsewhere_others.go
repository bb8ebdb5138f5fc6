//go:build !linux

package daemon

import (
	"context"

	"weir/control/health"
)

// elsewhere knows nothing of other interfaces on this platform.
type elsewhere struct{}

func openElsewhere([]*mirror) *elsewhere { return &elsewhere{} }

func (e *elsewhere) run(context.Context) {}

func (e *elsewhere) rates() []health.Elsewhere { return nil }

func (e *elsewhere) close() error { return nil }
