package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/bench"
)

func TestPacketTable(t *testing.T) {
	var out bytes.Buffer
	runs := []packetResult{
		{System: "fastnetmon", Via: "afpacket", Workload: "W2", UserNS: 400, TotalNS: 410},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 900, Loss: 0.5},
		{System: "weir-ring", Via: "afxdp", Workload: "W1", UserNS: 5, SystemNS: 2, TotalNS: 7},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 30, Rate: 2e5},
		{System: "fastnetmon", Via: "afpacket", Workload: "W1", UserNS: 150, Loss: 0.25},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 10, Rate: 2e5},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 20, Rate: 2e5},
	}
	if err := printPackets(&out, runs); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"W1 afpacket weir 3/4 20 10– 30 0 0 1.0 0.00 200",
		"W1 afpacket fastnetmon 0/1 150* 150– 150 0 0 7.5 25.00 0",
		"W1 afxdp weir-ring 1/1 5 5– 5 2 7 1.0 0.00 0",
		"W2 afpacket fastnetmon 1/1 400 400– 400 0 410 1.0 0.00 0",
	}
	if len(lines) != 1+len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i := range want {
		if got := strings.Join(strings.Fields(lines[1+i]), " "); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

// A loop without system calls is all its own.
func TestSamples(t *testing.T) {
	samples, err := bench.NewSamples(1)
	if err != nil {
		t.Skipf("no samples here: %v", err)
	}
	defer samples.Close()
	p, err := launch(t.TempDir(), []string{"sh", "-c", "while :; do :; done"}, (*exec.Cmd).Start)
	if err != nil {
		t.Skip(err)
	}
	defer p.stop()
	time.Sleep(time.Second)
	pids, _, err := p.members()
	if err != nil {
		t.Fatal(err)
	}
	all, user, err := samples.Stop(func(process, _ int) bool { return pids[process] })
	if err != nil || all < 50 || user < all/2 {
		t.Errorf("%d samples, %d of the program's own, %v", all, user, err)
	}
}
