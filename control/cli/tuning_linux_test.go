package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weir/ring/nic"
	"weir/tools/lab"
)

// timings returns how the interrupts of mirror0 are deferred.
func (r *rig) timings() (all []nic.Timing) {
	r.t.Helper()
	err := r.lab.Sut().Do(func() error {
		h, err := nic.Open()
		if err != nil {
			return err
		}
		defer h.Close()
		i, err := h.Find("mirror0")
		if err != nil {
			return err
		}
		all, err = h.Timings(&i)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// TestLabDeferral has weir defer the interrupts of its interface, and be killed, which undoes
// nothing; the next weir does, whatever its file says, and one that ends in order leaves nothing.
func TestLabDeferral(t *testing.T) {
	l := lab.New(t, lab.Options{})
	if err := l.SetPolled(0); err != nil { // what serves the queue outlives weir's program
		t.Fatal(err)
	}
	on := "afxdp: [{interface: mirror0, busy_poll: on}]"
	r := prepareRig(t, l, on)
	found, set := []nic.Timing{{}}, []nic.Timing{nic.DefaultTiming}
	if got := r.timings(); !slices.Equal(got, found) {
		t.Skipf("interrupts are deferred by %v: it takes Linux 6.13", got)
	}
	holds := func(what string, want []nic.Timing) {
		t.Helper()
		r.eventually(what, func() bool { return slices.Equal(r.timings(), want) })
	}
	r.start()
	holds("deferred", set)
	p, err := r.client.Pipeline(t.Context())
	if err != nil || len(p.Queues) != 1 || p.Queues[0].Granted == nil ||
		p.Queues[0].Granted.Deferral != "2/200µs by netlink" ||
		p.Queues[0].Granted.Frames != 8192 || p.Queues[0].Granted.BusyPoll != "waiting" {
		t.Errorf("%+v, %v", p.Queues, err)
	}
	_ = r.stop(syscall.SIGKILL)
	holds("still deferred", set)

	r.start()
	if !strings.Contains(r.log.String(), "put back the deferral of interrupts") {
		t.Error("the next weir does not say that it put it back")
	}
	holds("deferred again", set)
	if err := r.stop(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	holds("put back", found)

	r.start()
	_ = r.stop(syscall.SIGKILL)
	holds("still deferred", set)
	yaml, err := os.ReadFile(filepath.Join(r.dir, "weir.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.configure(strings.Replace(string(yaml), "busy_poll: on", "defer_irqs: false", 1))
	r.start()
	holds("put back by one that wants none", found)
}
