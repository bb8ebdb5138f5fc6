//go:build !linux

package afxdp

import (
	"context"
	"errors"

	"weir/ring"
)

// Mirror needs Linux.
type Mirror struct{}

// Source needs Linux.
type Source struct{ ring.Source }

// Wake does nothing.
func (s *Source) Wake() {}

// Open returns an error that is errors.ErrUnsupported.
func Open(c Config) (*Mirror, error) {
	return nil, errors.Join(errors.New("AF_XDP needs Linux 5.9 or later"), errors.ErrUnsupported)
}

// OnNode calls f.
func (m *Mirror) OnNode(f func()) { f() }

// Recover does nothing: no interface was changed.
func Recover(string) ([]string, error) { return nil, nil }

// Sources returns none.
func (m *Mirror) Sources() []*Source { return nil }

// Run returns at once.
func (m *Mirror) Run(context.Context, func(state, reason string)) {}

// Wake does nothing.
func (m *Mirror) Wake() {}

// Status returns nothing.
func (m *Mirror) Status() Status { return Status{} }

// Close does nothing.
func (m *Mirror) Close() error { return nil }
