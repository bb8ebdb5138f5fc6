package afxdp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"weir/ring/wait"
	"weir/tools/lab"
)

// busyRig is a rig whose queue is to be busy-polled, in the given way.
func busyRig(t *testing.T, how BusyPoll, deferred bool) *rig {
	t.Helper()
	l := lab.New(t, lab.Options{})
	return newRig(t, l, Config{BusyPoll: how, DeferIRQs: deferred, Notes: t.TempDir()})
}

// flood sends until something is, or patience ends, and returns the number of frames sent.
func (r *rig) flood(pps float64, is func() bool) uint64 {
	r.t.Helper()
	g := generator(r.t, r.lab, 0)
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	err := g.Run(ctx, pps, func(uint64) {
		if is() {
			cancel()
		}
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	return g.Sent()
}

func (r *rig) grant() Grant { return r.mirror.Status().Queues[0].Grant }

// TestBusyPoll has a queue of a veth busy-polled: it waits for frames, is compared, and whichever
// way it goes, every frame is accounted for, after a pause too. From Linux 6.13 on it is refused,
// because veth names no NAPI; a driver that does is in the virtual machine of make zerocopy.
func TestBusyPoll(t *testing.T) {
	for how, name := range map[BusyPoll]string{BusyOn: "on", BusyAuto: "auto"} {
		t.Run(name, func(t *testing.T) {
			r := busyRig(t, how, true)
			if got := r.grant(); got.BusyPoll != PollingWaiting || got.BusyFault != "" {
				t.Fatalf("%+v", got)
			}
			sent := r.flood(50_000, func() bool {
				got := r.grant().BusyPoll
				return got == PollingOn || got == PollingRefused
			})
			got := r.grant()
			t.Logf("%d frames: %+v, %v", sent, got, r.mirror.Status().Deferral)
			if got.BusyPoll != PollingOn && got.BusyPoll != PollingRefused {
				t.Errorf("%+v", got)
			}
			if got.BusyPoll == PollingRefused && got.BusyFault == "" {
				t.Errorf("refused for no reason: %+v", got)
			}
			r.settle(sent)
			time.Sleep(3 * wait.Most)
			g := generator(t, r.lab, 0)
			if n, err := g.Send(1000); n != 1000 || err != nil {
				t.Fatal(n, err)
			}
			r.settle(sent + 1000)
		})
	}
}

// TestBusyPollRefused has nobody defer interrupts: it is refused, by name, and frames come.
func TestBusyPollRefused(t *testing.T) {
	r := busyRig(t, BusyOn, false)
	sent := r.flood(20_000, func() bool { return r.grant().BusyPoll == PollingRefused })
	got := r.grant()
	if got.BusyPoll != PollingRefused || !strings.Contains(got.BusyFault, "not deferred") {
		t.Errorf("%+v", got)
	}
	r.settle(sent)
	if st := r.mirror.Status(); st.Deferral != "as found 0/0s" || st.Fault != "" {
		t.Errorf("%q, %q", st.Deferral, st.Fault)
	}
}

// TestBusyPollBroken concludes a probe whose polling brought nothing.
func TestBusyPollBroken(t *testing.T) {
	s := &socket{fd: -1}
	s.polling.probe.windows = [2 * probeRounds]uint64{0: 900, 2: 1000, 4: 1100, 6: 1000, 8: 1000}
	s.conclude()
	if state, fault := s.polling.status(); state != PollingRefused ||
		fault != "the probe had 1000 frames by interrupts and 0 by polling, each in 50ms" {
		t.Errorf("%q, %q", state, fault)
	}
}
