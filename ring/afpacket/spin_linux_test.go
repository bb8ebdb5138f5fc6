package afpacket

import (
	"sync/atomic"
	"testing"
	"time"

	"weir/ring/ringtest"
	"weir/ring/wait"
	"weir/tools/lab"
)

// TestSpin has a mirror poll by a clock that stands still unless it is told to move.
func TestSpin(t *testing.T) {
	l := lab.New(t, lab.Options{})
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	var m *Mirror
	err := l.Sut().Do(func() (err error) {
		m, err = Open(Config{
			Interface: lab.Sut.Interface(0), Spin: time.Millisecond, Clock: clock.Load,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ringtest.Spin(t, m.Sources()[0], &clock, time.Millisecond, wait.Most, func() {
		if _, err := l.SendFrames(0, burstOf(1)); err != nil {
			t.Fatal(err)
		}
	})
}
