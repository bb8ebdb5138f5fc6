package health

import (
	"strings"
	"testing"
	"time"
)

// exported are the facts of a weir that takes flow exports alone, and has nothing to complain of.
func exported() *Facts {
	f := healthy()
	f.Sources, f.Received, f.ReceivedNow, f.Processed, f.ProcessedNow = nil, 0, 0, 0, 0
	f.Ports = []Port{{
		Listen: ":2055", Received: Count{6000, 100}, Lost: map[string]Count{}, Buffer: 1 << 20,
		Wanted: 1 << 20,
	}}
	f.Exports = Exports{
		Received: Count{6000, 100}, Processed: Count{6000, 100}, Records: Count{180_000, 3000},
		Skipped: map[string]Count{}, Faults: map[string]Count{},
	}
	for _, a := range []string{"192.0.2.9", "192.0.2.10", "192.0.2.11"} {
		f.Exporters = append(f.Exporters, Exporter{
			Address: a, Protocol: "netflow9", Heard: time.Hour, Records: 60_000, Sampling: 1000,
			Told: true, LostUnit: "datagrams", Delay: 8 * time.Second, Skew: time.Second,
		})
	}
	return f
}

// Each fault of those who send flow exports, and of how they come, is named.
func TestFindingsOfExports(t *testing.T) {
	f := func(change func(*Facts), id, severity, message, try string) {
		t.Helper()
		facts := exported()
		change(facts)
		got := Findings(facts)[0]
		if got.ID != id || got.Severity != severity || !strings.Contains(got.Message, message) ||
			!strings.HasSuffix(got.Message, ".") || got.Try != try {
			t.Errorf("%+v; want %s, %s, …%s…, %s", got, id, severity, message, try)
		}
		for _, more := range Findings(facts)[1:] {
			if more.Severity != OK {
				t.Errorf("%s: beside it %+v", id, more)
			}
		}
	}
	capture := "tcpdump -c 10 -n -i any udp port 2055"
	f(func(*Facts) {}, "below_limits", OK, "10 hosts had packets", "weir why 10.0.0.7")
	silent := func(f *Facts) {
		f.Ports[0].Received, f.Exports, f.Exporters = Count{}, Exports{}, nil
	}
	f(silent, "no_exports", Error, "No datagram has come to :2055 since the start", capture)
	f(func(f *Facts) {
		silent(f)
		f.Sources = healthy().Sources
	}, "no_exports", Warning, "No datagram has come to :2055", capture)
	f(func(f *Facts) { f.Exports.Invalid = Count{20, 20} }, "exports_invalid", Warning,
		"20 % of the datagrams are neither NetFlow 5 or 9, nor IPFIX, nor sFlow", capture)
	f(func(f *Facts) { f.Exports.Denied = Count{6000, 0} }, "exports_denied", Error,
		"Every datagram is of a sender that exporters under capture.flows does not list", capture)
	f(func(f *Facts) { f.Exports.Denied = Count{60, 60} }, "exports_denied", Warning,
		"60 % of the datagrams are of senders", capture)
	f(func(f *Facts) { f.Exports.Shed = Count{60, 60} }, "exports_shed", Warning,
		"(60 datagrams/s left out)", "weir cores")
	f(func(f *Facts) { f.Exports.Script = "flows.lua:3: no such field" }, "script_given_up",
		Warning, "not asked any more (flows.lua:3: no such field)", "weir reload")
	f(func(f *Facts) { f.Exports.Foreign = Count{3000, 3000} }, "flows_foreign", Error,
		"100 % of the flow records are from and to addresses outside", "weir config show")
	full := func(f *Facts) { f.Ports[0].Lost["socket_full"] = Count{25, 25} }
	f(full, "socket_full", Error,
		"20 % of the datagrams to :2055 (25 datagrams/s) are lost because the receive buffer is "+
			"full: give it more cores, or a greater receive_buffer", "weir cores")
	f(func(f *Facts) { full(f); f.Ports[0].Wanted = 1 << 21 }, "socket_full", Error,
		"it has 1048576 of the 2097152 bytes that receive_buffer asks for, as net.core.rmem_max",
		"sysctl -w net.core.rmem_max=2097152")
	f(func(f *Facts) { f.Exporters[1].Missing = 40 }, "templates_missing", Warning,
		"Exporter 192.0.2.10 sends data whose template has not come (40 sets lately)",
		"weir exporters 192.0.2.10")
	f(func(f *Facts) {
		f.Exporters[0].LostShare, f.Exporters[2].LostShare = 0.02, 0.125
	}, "exports_lost", Warning, "Exporter 192.0.2.11 has sent more than came: its sequence "+
		"numbers say that 12 % of its datagrams were lost before weir (and 1 more like it).",
		"weir exporters")
	f(func(f *Facts) { f.Exporters[0].Told, f.Exporters[0].Sampling = false, 1 },
		"sampling_unknown", Warning, "Exporter 192.0.2.9 has never told its sampling rate",
		"weir exporters 192.0.2.9")
	f(func(f *Facts) { f.Exporters[0].Skew = -7200 * time.Second }, "clock_skew", Warning,
		"has a clock that is 2h0m0s ahead of ours", "weir exporters 192.0.2.9")
	f(func(f *Facts) { f.Exporters[0].Skew = 6 * time.Second }, "clock_skew", Warning,
		"has a clock that is 6s behind ours", "weir exporters 192.0.2.9")
	f(func(f *Facts) { f.Exporters[0].Delay = 65_535 * time.Millisecond }, "slow_exports", Warning,
		"tells of flows up to 1m6s after their first packet, and so late attacks are found; lower "+
			"its active timeout", "weir exporters 192.0.2.9")
	stop := func(n int) func(*Facts) {
		return func(f *Facts) {
			for i := range n {
				f.Exporters[i].Silent, f.Exporters[i].Idle = true, 31*time.Second
			}
		}
	}
	f(stop(1), "exporter_silent", Warning, "Exporter 192.0.2.9 has sent nothing for 31s",
		"weir exporters 192.0.2.9")
	f(stop(3), "exporter_silent", Error, "(and 2 more like it)", "weir exporters")
}

// What is usual, or of little weight, is no fault.
func TestFindingsOfUsualExports(t *testing.T) {
	for name, change := range map[string]func(*Facts){
		"just begun": func(f *Facts) {
			f.Uptime, f.Ports[0].Received = 5*time.Second, Count{}
		},
		"none in this second": func(f *Facts) { f.Ports[0].Received.Now = 0 },
		"a stray datagram":    func(f *Facts) { f.Exports.Invalid = Count{1, 1} },
		"a few strangers":     func(f *Facts) { f.Exports.Denied = Count{40, 40} },
		"little loss":         func(f *Facts) { f.Exporters[0].LostShare = 0.009 },
		"nobody is sampled": func(f *Facts) {
			for i := range f.Exporters {
				f.Exporters[i].Told, f.Exporters[i].Sampling = false, 1
			}
		},
		"another protocol": func(f *Facts) {
			f.Exporters[0].Protocol, f.Exporters[0].Told = "netflow5", false
			f.Exporters[0].Sampling = 1
		},
		"soon told": func(f *Facts) {
			f.Exporters[0].Told, f.Exporters[0].Sampling = false, 1
			f.Exporters[0].Heard = 30 * time.Second
		},
		"set for all": func(f *Facts) { f.Exporters[0].Told, f.Exporters[0].Sampling = false, 500 },
		"few flows": func(f *Facts) {
			f.Exporters[0].Records, f.Exporters[0].Delay = 99, time.Hour
		},
		"made up": func(f *Facts) {
			f.Exporters = append(f.Exporters, Exporter{Silent: true, Idle: time.Hour})
		},
		"transit": func(f *Facts) { f.Exports.Foreign = Count{2900, 2900} },
	} {
		facts := exported()
		change(facts)
		for _, found := range Findings(facts) {
			if found.Severity != OK {
				t.Errorf("%s: found %+v", name, found)
			}
		}
	}
}

// What comes into a stage of flow exports is what it hands on and what it loses, and there are
// stages only of what there are sources of.
func TestStagesOfExports(t *testing.T) {
	names := func(stages []Stage) (list string) {
		for _, s := range stages {
			list += s.Name + " "
		}
		return list
	}
	f := exported()
	x := &f.Exports
	x.Received, x.Processed = Count{6000, 100}, Count{5900, 90}
	x.Denied, x.Invalid, x.Shed = Count{60, 6}, Count{30, 3}, Count{10, 1}
	f.Ports[0].Lost = map[string]Count{"socket_full": {7, 2}, "truncated": {}}
	x.Skipped = map[string]Count{"no_template": {4, 1}, "foreign": {5, 0}}
	x.Faults = map[string]Count{"bad_field": {2, 0}, "bad_count": {9, 9}}
	x.Foreign, x.Ignored = Count{80_000, 1000}, Count{100, 0}
	stages := Stages(f)
	if got := names(stages); got != "exports records limits mitigation " {
		t.Errorf("stages %s", got)
	}
	for i, want := range []Stage{
		{Name: "exports", Unit: "datagrams", In: 6007, Out: 5900, InNow: 102, OutNow: 90,
			Lost: []Loss{
				{"socket_full", 7, 2}, {"shed", 10, 1}, {"denied", 60, 6}, {"invalid", 30, 3},
			}},
		{Name: "records", Unit: "records", In: 180_011, Out: 99_900, InNow: 3001, OutNow: 2000,
			Lost: []Loss{
				{"foreign_format", 5, 0}, {"no_template", 4, 1}, {"bad_field", 2, 0},
				{"ignored", 100, 0}, {"foreign", 80_000, 1000},
			}},
	} {
		got := stages[i]
		if len(got.Lost) != len(want.Lost) || got.In != want.In || got.Out != want.Out ||
			got.InNow != want.InNow || got.OutNow != want.OutNow || got.Unit != want.Unit {
			t.Errorf("got %+v, want %+v", got, want)
			continue
		}
		for k := range got.Lost {
			if got.Lost[k] != want.Lost[k] {
				t.Errorf("%s: lost %+v, want %+v", got.Name, got.Lost[k], want.Lost[k])
			}
		}
	}
	f.Sources = healthy().Sources
	if got, want := names(Stages(f)), "interface ring decode networks exports records limits "+
		"mitigation "; got != want {
		t.Errorf("stages %s, want %s", got, want)
	}
	if got := names(Stages(healthy())); got != "interface ring decode networks limits mitigation " {
		t.Errorf("stages without ports: %s", got)
	}
}
