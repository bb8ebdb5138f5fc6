package cli

import "testing"

func TestBenchRxUsage(t *testing.T) {
	for _, args := range []string{
		"", "eth0 --veth", "eth0 --ndr", "eth0 --hold 1s", "--veth --via pcap",
		"--veth --workload W9", "--veth --runs 0", "--veth --tries 0", "--veth --trial 0s",
		"--veth --loss 100", "--veth --at 0%", "--veth --at 101", "--veth --at half", "eth0 eth1",
	} {
		if status, _, _ := run("bench rx " + args); status != exitUsage {
			t.Errorf("%q: exit %d", args, status)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]float64{"70%": 0.7, "70": 0.7, "100%": 1, "0.5%": 0.005} {
		if got, err := percent(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
