package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/control/api"
	"weir/tools/lab"
)

// BenchmarkLooking measures what it costs a weir with 100 000 active hosts to be looked at: by
// screen, metrics and hosts once a second. The processor's time is the whole process's, in phases
// of five seconds with and without lookers, in turn: an iteration is a pair of these.
func BenchmarkLooking(b *testing.B) {
	l := lab.New(b, lab.Options{})
	r := prepareRig(b, l, captures()["afxdp"], func(yaml, _ string) string {
		return strings.Replace(yaml, "10.0.0.0/16", "10.0.0.0/14", 1)
	})
	r.start()
	stop := r.crowd(115_000)
	defer stop()
	r.eventually("sees 100 000 hosts", func() bool { return r.status().Hosts > 100_000 })
	const phase = 5 * time.Second
	var with, without []float64
	for b.Loop() {
		without = append(without, r.cpu(phase, nil))
		with = append(with, r.cpu(phase, r.lookAround))
	}
	slices.Sort(with)
	slices.Sort(without)
	s := r.status()
	if s.Hosts < 100_000 {
		b.Errorf("%d hosts at the end", s.Hosts)
	}
	b.ReportMetric(float64(s.Hosts), "hosts")
	b.ReportMetric(100*with[len(with)/2], "%core-looked-at")
	b.ReportMetric(100*without[len(without)/2], "%core-alone")
}

// crowd sends packets to 131 072 hosts, one after the other, until the function that it returns is
// called.
func (r *rig) crowd(pps float64) (stop func()) {
	r.t.Helper()
	frame := lab.UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.0.1"), 53,
		4444, 90)
	g, err := r.lab.Generator(lab.GeneratorConfig{Frame: frame, Patches: []lab.Patch{
		{Offset: 14 + 16, Width: 4, Base: 10 << 24, Mask: 1<<17 - 1},
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Run(ctx, pps, nil)
	}()
	return func() { cancel(); <-done; _ = g.Close() }
}

// cpu returns the part of a core that the daemon used for so long, while look is called once a
// second.
func (r *rig) cpu(long time.Duration, look func()) float64 {
	r.t.Helper()
	begin, used := time.Now(), r.cpuTime()
	for time.Since(begin) < long {
		if look != nil {
			look()
		}
		time.Sleep(time.Second - time.Since(begin)%time.Second)
	}
	return (r.cpuTime() - used).Seconds() / time.Since(begin).Seconds()
}

// lookAround asks what screen, scraper and a curious program ask each second.
func (r *rig) lookAround() {
	r.t.Helper()
	ctx := r.t.Context()
	r.status()
	for _, q := range []api.HostQuery{
		{Sort: "pps", Direction: "both", Limit: 50},
		{Sort: "bps", Direction: "incoming", Limit: 50},
	} {
		if _, err := r.client.Hosts(ctx, q); err != nil {
			r.t.Fatal(err)
		}
	}
	if !strings.Contains(r.metrics(), "weir_hosts_tracked") {
		r.t.Fatal("no metrics")
	}
}

// cpuTime returns the processor's time that the daemon has used: proc(5), fields 14 and 15.
func (r *rig) cpuTime() time.Duration {
	r.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			r.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ
}
