package health

import (
	"strings"
	"testing"
	"time"
)

// healthy are the facts of a weir that has nothing to complain of.
func healthy() *Facts {
	return &Facts{
		Uptime: time.Minute,
		Sources: []Source{{
			Engine: "afxdp", Interface: "eth1", State: "up", Direction: "both",
			Received: Count{60_000, 1000}, Lost: map[string]Count{},
		}},
		Received: 60_000, ReceivedNow: 1000, Processed: 60_000, ProcessedNow: 1000,
		Dropped: map[string]Count{}, InNow: 600, OutNow: 400, Hosts: 10,
		Networks: []string{"10.0.0.0/16"}, Observe: true,
		Nearest: Nearest{"10.0.0.7", "incoming_pps", 43},
	}
}

// Each fault that used to look like all zeros is named, with its sentence and the next command.
func TestFindings(t *testing.T) {
	f := func(change func(*Facts), id, severity, message, try string) {
		t.Helper()
		facts := healthy()
		change(facts)
		found := Findings(facts)
		if len(found) == 0 {
			t.Fatal("nothing was found")
		}
		got := found[0]
		if got.ID != id || got.Severity != severity || !strings.Contains(got.Message, message) ||
			got.Try != try {
			t.Errorf("%+v; want %s, %s, …%s…, %s", got, id, severity, message, try)
		}
		if !strings.HasSuffix(got.Message, ".") {
			t.Errorf("no sentence: %q", got.Message)
		}
	}
	f(func(*Facts) {}, "below_limits", OK,
		"10 hosts had packets in the last second, the nearest is 10.0.0.7 at 43 % of incoming_pps.",
		"weir why 10.0.0.7")
	f(func(f *Facts) { f.Unplaced.Now = 1500 }, "tables_full", Warning,
		"1.5 k packets/s of home networks are counted for their network and for no host",
		"weir config show")
	silent := func(f *Facts) {
		f.Sources[0].Received, f.ReceivedNow, f.ProcessedNow, f.Hosts = Count{}, 0, 0, 0
	}
	f(silent, "no_input", Error, "No frame arrives on eth1, though its link is up",
		"ip -s link show eth1")
	f(func(f *Facts) {
		silent(f)
		f.Elsewhere = []Elsewhere{{"eth2", 120_000}, {"eth3", 10}}
	}, "wrong_interface", Error, "No frame arrives on eth1, but eth2 receives 120 k frames/s",
		"ip -s link show eth2")
	f(func(f *Facts) { silent(f); f.Sources[0].State = "link_down" }, "link_down", Error,
		"eth1 is down or has no link", "ip link set eth1 up")
	f(func(f *Facts) { silent(f); f.Sources[0].State = "missing" }, "interface_missing", Error,
		"There is no interface eth1", "ip -brief link")
	f(func(f *Facts) {
		f.Sources[0].State, f.Sources[0].Reason = "refused", "it is a bond"
	}, "refused", Error, "eth1 cannot be captured from: it is a bond.", "journalctl -u weir -e")
	f(func(f *Facts) {
		f.Sources[0].Lost = map[string]Count{"rx_ring_full": {100, 100}, "nic_missed": {7, 0}}
	}, "drops", Error, "9.09 % of the frames of eth1 are lost before weir sees them (rx_ring_full",
		"weir cores")
	f(func(f *Facts) {
		f.Sources[0].Lost = map[string]Count{"unattached": {900, 70}}
	}, "unattached", Warning, "70 frames/s arrived on eth1 before weir was attached to it",
		"ip -s link show eth1")
	f(func(f *Facts) { f.Foreign = Count{60_000, 1000} }, "foreign", Error,
		"100 % of the packets are from and to addresses outside the networks (10.0.0.0/16)",
		"weir config show")
	f(func(f *Facts) { f.Dropped["not_ip"] = Count{900, 900}; f.ProcessedNow = 100 }, "unreadable",
		Error, "90 % of the frames hold no IP packet that weir can read (not_ip)",
		"tcpdump -c 10 -e -n -i eth1")
	f(func(f *Facts) { f.Attacks = []Attack{{"10.0.0.9", true}} }, "allowlisted", Warning,
		"10.0.0.9 is under attack and on the allowlist", "weir why 10.0.0.9")
	f(func(f *Facts) { f.Attacks, f.Routes = []Attack{{"10.0.0.9", false}}, 1 }, "attacks", OK,
		"1 attack goes on; mode is observe: 1 mitigations are recorded, none is announced.",
		"weir attacks list")
	f(func(f *Facts) { f.InNow, f.OutNow = 1000, 0 }, "one_way", Warning,
		"Hardly anything goes out of the networks", "weir networks")
	f(func(f *Facts) { f.Sources[0].Passed = Count{50, 50} }, "passed_to_host", Warning,
		"50 frames/s of eth1 arrive on queues that are not captured from", "ethtool -l eth1")
	f(func(f *Facts) { f.Shed = Count{10, 10} }, "shed", Warning, "Workers fall behind",
		"weir cores")
	f(func(f *Facts) { f.Stuck = []string{"Worker 1 has not answered for 4s."} }, "stuck", Error,
		"Worker 1", "journalctl -u weir -e")
	f(func(f *Facts) { f.Failures = []string{"Reports cannot be written."} }, "report", Warning,
		"Reports", "df -h")
}

// Before the first whole seconds silence is no fault, and a little noise never is.
func TestFindingsOfLittle(t *testing.T) {
	facts := healthy()
	facts.Uptime, facts.Sources[0].Received, facts.ReceivedNow = time.Second, Count{}, 0
	facts.Sources[0].Lost = map[string]Count{"rx_ring_full": {5, 0}}
	for _, f := range Findings(facts) {
		if f.Severity != OK {
			t.Errorf("found %+v", f)
		}
	}
}

// What comes into a stage is what it hands on and what it loses.
func TestStages(t *testing.T) {
	facts := healthy()
	facts.Sources[0].Passed = Count{30, 3}
	facts.Sources[0].Lost = map[string]Count{"rx_ring_full": {20, 2}, "unattached": {4, 1}}
	facts.Sources = append(facts.Sources, Source{Lost: map[string]Count{"rx_ring_full": {1, 1}}})
	facts.Shed, facts.Foreign = Count{5, 1}, Count{100, 10}
	facts.Dropped = map[string]Count{"not_ip": {95, 9}}
	facts.Processed, facts.ProcessedNow = 59_900, 990
	stages := Stages(facts)
	for i, s := range stages {
		if s.Unit != "frames" && s.Unit != "packets" {
			continue
		}
		in, now := s.Out, s.OutNow
		for _, l := range s.Lost {
			in, now = in+l.N, now+l.Now
		}
		if s.In != in || s.InNow != now {
			t.Errorf("%s: in %d, out and lost %d", s.Name, s.In, in)
		}
		if i > 0 && s.In != stages[i-1].Out {
			t.Errorf("%s: in %d, the stage before handed on %d", s.Name, s.In, stages[i-1].Out)
		}
	}
	if stages[0].In != 60_055 || stages[1].Lost[0] != (Loss{"rx_ring_full", 21, 3}) {
		t.Errorf("%+v", stages[:2])
	}
}
