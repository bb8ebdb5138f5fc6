package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/decode/pcap"
	"weir/tools/lab"
)

// captures are the ways of capture that a lab tests, with the content of the section capture.
func captures() map[string]string {
	return map[string]string{
		"afxdp":    "afxdp: [{interface: mirror0, zerocopy: prefer}]",
		"afpacket": "afpacket: [{interface: mirror0}]",
	}
}

// TestLabDetects floods one host after another through a veth into a running weir: each attack is
// known within two seconds of its first packet, and half of them within the promise.
func TestLabDetects(t *testing.T) {
	rounds, queues := 10, []int{1, 4}
	if testing.Short() {
		rounds, queues = 2, []int{1}
	}
	for engine, capture := range captures() {
		for _, n := range queues {
			t.Run(fmt.Sprintf("%s/%d queues", engine, n), func(t *testing.T) {
				r := newRig(t, lab.New(t, lab.Options{Queues: n}), capture)
				r.background(1000)
				for _, family := range []string{"10.0.%d.%d", "2001:db8:0:%d::%d"} {
					r.floods(family, 1, rounds, 10_000, 1200*time.Millisecond)
					r.floods(family, 2, rounds, 50_000, 400*time.Millisecond)
				}
			})
		}
	}
}

// floods attacks hosts one after another, at random moments of weir's second.
func (r *rig) floods(family string, net, rounds int, pps float64, promise time.Duration) {
	r.t.Helper()
	var delays []time.Duration
	for i := range rounds {
		time.Sleep(time.Duration(i*137%100) * 10 * time.Millisecond)
		delays = append(delays, r.floodOnce(fmt.Sprintf(family, net, i+1), i%2, pps))
	}
	slices.Sort(delays)
	median := (delays[(len(delays)-1)/2] + delays[len(delays)/2]) / 2
	r.t.Logf("%s at %.0f pps: median %v, longest %v", family, pps,
		median.Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond))
	if median > promise && rounds > 2 {
		r.t.Errorf("median %v, promised %v: %v", median, promise, delays)
	}
}

// floodOnce returns the time from the first packet to the verdict.
func (r *rig) floodOnce(target string, cpu int, pps float64) time.Duration {
	r.t.Helper()
	g := r.flood(target, cpu)
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- g.Run(ctx, pps, nil) }()
	defer func() { cancel(); _, _ = <-done, g.Close() }()
	for {
		if a, ok := r.attack(target, "active"); ok {
			delay := a.Detected.Sub(begin)
			r.eventually("evidence of "+target, func() bool { return r.proved(a.ID, a.Detected) })
			return delay
		}
		if time.Since(begin) > 2*time.Second+100*time.Millisecond {
			r.t.Fatalf("%s not found in 2 s", target)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// proved reports whether the evidence of an incident holds a packet from before the verdict.
func (r *rig) proved(id string, verdict time.Time) bool {
	file, err := pcap.Open(filepath.Join(r.dir, "state", "evidence", id, "evidence.pcapng"))
	if err != nil {
		return false
	}
	defer file.Close()
	var p pcap.Packet
	for {
		switch err := file.Next(&p); {
		case err == io.EOF:
			return false
		case err != nil:
			return false
		case p.Time < verdict.UnixNano():
			return true
		}
	}
}
