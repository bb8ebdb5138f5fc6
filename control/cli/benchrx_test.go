package cli

import (
	"strings"
	"testing"

	"weir/bench"
)

// What makes no sense is told before anything is opened, by the flag's name.
func TestBenchRxUsage(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		status, out, talk := run("bench rx " + args)
		if status != exitUsage || out != "" || !strings.Contains(talk, want) {
			t.Errorf("%q: exit %d, %q, %q; want %q", args, status, out, talk, want)
		}
	}
	f("eth0 --veth", "--veth makes an interface: eth0 is one too many")
	f("eth0 eth1", "")
	f("eth0 --ndr", "--ndr has no meaning with an interface")
	f("eth0 --hold 1s", "--hold has no meaning with an interface")
	f("eth0 --workload W1", "--workload has no meaning with an interface")
	f("eth0 --home 10.0.0.0/33", "--home")
	f("--veth --home 10.0.0.0/8", "--home has no meaning with a veth")
	f("--veth --via pcap", "afxdp, afpacket")
	f("--veth --workload W9", "W9")
	f("--veth --workload=", "--workload is empty")
	f("--veth --workload F1", "weir bench flows")
	f("--veth --runs 0", "--runs is 0, not from 1 to 10000")
	f("--veth --runs 9000000000000000000", "--runs")
	f("--veth --tries 0", "--tries is 0")
	for _, trial := range []string{"0s", "-5s", "99999h"} {
		f("--veth --trial "+trial, "not above 0 and up to 24h0m0s")
	}
	f("--veth --hold -5s", "--hold is -5s, not from 0 to 24h0m0s")
	for _, rate := range []string{"0", "-1", "NaN", "Inf", "1e10"} {
		f("--veth --rate "+rate, "--rate is ")
		f("--veth --ndr --max "+rate, "--max is ")
	}
	for _, loss := range []string{"100", "-1", "NaN"} {
		f("--veth --pdr --loss "+loss, "--loss is ")
	}
	for _, at := range []string{"0%", "101", "half", "NaN"} {
		f("--veth --at "+at, "--at is ")
	}
}

func TestRxInterface(t *testing.T) {
	f := func(veth bool, args []string, root bool, want, fails string) {
		t.Helper()
		got, err := (&rxOptions{veth: veth}).interfaceName(args, root)
		if got != want || (err != nil) != (fails != "") ||
			err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("%v %v: %q, %v; want %q, %q", veth, args, got, err, want, fails)
		}
	}
	f(false, []string{"eth0"}, false, "eth0", "")
	f(true, nil, false, "", "") // the kernel says what is missing
	f(false, nil, true, "", "")
	f(false, nil, false, "", "name an interface; without one a veth is made, which needs root")
	f(true, []string{"eth0"}, true, "", "eth0 is one too many")
}

func TestRxPlan(t *testing.T) {
	cmd := newBenchRx()
	o := &rxOptions{
		veth: true, via: bench.ViaAFXDP, workloads: []string{"W5", all}, rate: 1, highest: 2,
		trial: 1, runs: 1, tries: 1, at: "70", pdr: true, hold: 1, allowed: 1,
	}
	plan, err := o.plan(cmd, nil)
	if err != nil || len(plan) < 9 || plan[0].Workload.Name != "W5" ||
		plan[1].Workload.Name != "W1" || len(plan[0].Searches) != 2 ||
		plan[0].Searches[0].Allowed != 0 || plan[0].Searches[1].Allowed != 0.01 {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]float64{"70%": 0.7, "70": 0.7, "100%": 1, "0.5%": 0.005} {
		if got, err := percent(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
