package apitest

import (
	"net/netip"
	"time"

	"weir/control/api"
)

// Incidents of Sample.
const (
	ActiveID = "00f1e2d3c4b5a697"
	OverID   = "7a6b5c4d3e2f1001"
)

// Now is the end of the last second in Sample.
func Now() time.Time { return time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC) }

// Sample returns a Backend with something in every field. Each call returns values of its own.
func Sample() *Backend {
	attacks := []api.Attack{active(), over()}
	return &Backend{Data: Data{
		Status: status(), Pipeline: pipeline(), Hosts: hosts(), Whys: whys(),
		Networks: networks(), Cores: cores(), Exporters: exporters(),
		Attacks: api.AttackList{Time: Now(), Attacks: attacks},
		Reports: map[string][]byte{
			ActiveID: []byte("Attack on 203.0.113.7: UDP flood, 1.2 Mpps incoming.\n"),
			OverID:   []byte("Attack on 2001:db8::25: SYN flood, 310 kpps incoming. Over.\n"),
		},
		Reload: api.ReloadResult{
			OK: true,
			Changes: []api.Change{
				{Path: "hostgroups.dns.limits.incoming_pps", Old: "100k", New: "150k",
					Class: "live"},
				{Path: "workers", Old: "2", New: "4", Class: "restart"},
			},
			Files: []api.FileChange{
				{Path: "filter.rules", File: "/etc/weir/ignore.rules", Old: "10 rules",
					New: "12 rules"},
				{Path: "filter.lua", File: "/etc/weir/flows.lua", Old: "812 bytes",
					New: "812 bytes"},
			},
			Warnings: []string{"workers: waits for a restart."}, Errors: []string{},
		},
		Routes: routes(),
	}}
}

func rates(pps, bps uint64) api.Rates {
	return api.Rates{
		PPS: pps, BPS: bps, FPS: pps / 10, TCP: pps / 4, UDP: pps / 2, ICMP: pps / 100,
		SYN: pps / 50, Frag: pps / 200,
	}
}

func status() api.Status {
	s := api.Status{
		Version: "1.4.0", Mode: "observe", Started: Now().Add(-26 * time.Hour), Uptime: 93600,
		Problems: []string{"The link of eth1 is down."},
		Config: api.ConfigStatus{
			File: "/etc/weir/weir.yaml", Hash: "0123456789abcdef", Loaded: Now().Add(-time.Hour),
			ReloadErr: "line 12: unknown key \"limts\"", Restart: []string{"workers"},
			Networks: 2, Hostgroups: 2,
		},
		Memory: api.MemoryStatus{
			Tables: 512 << 20, Budget: 1 << 30, Heap: 40 << 20, Huge: 500 << 20,
		},
		Loop: api.LoopStatus{TickMillis: 12.5, TickMillisMax: 88.25, Late: 3},
		Traffic: api.Traffic{
			Time: Now(), PPS: 1_310_000, BPS: 9_400_000_000, In: rates(1_250_000, 8_900_000_000),
			Out: rates(60_000, 480_000_000), Internal: 120, Foreign: 45, Dropped: 900,
			Datagrams: 1200, Records: 36_000,
		},
		Hosts: 3, Attacks: 1, Total: 2,
		Sources: []api.Source{
			{Engine: "afxdp", Interface: "eth0", Queue: 0, Worker: 0, State: "up",
				Mode: "zerocopy", Received: 8_800_000_000, Bytes: 7_000_000_000_000,
				Dropped: map[string]uint64{"ring_full": 4200, "no_buffer": 17}, Passed: 12,
				Granted: grant()},
			{Engine: "afpacket", Interface: "eth1", Queue: 1, Worker: 1, State: "link_down",
				Mode: "fanout", Reason: "the link is down", Received: 500, Bytes: 41_000,
				Dropped: map[string]uint64{}},
			{Engine: "udp", Interface: ":2055", Queue: 0, Worker: 2, State: "up", Mode: "socket",
				Received: 90_000, Bytes: 120_000_000,
				Dropped: map[string]uint64{"socket_full": 30, "truncated": 0}},
			{Engine: "tcp", Interface: ":2055", Queue: 0, Worker: 3, State: "up",
				Mode: "stream", Dropped: map[string]uint64{"bad_frame": 0}},
		},
		Mitigation: mitigation(),
	}
	for i := range uint64(60) {
		s.Traffic.History = append(s.Traffic.History, api.Moment{
			InPPS: 40_000 + 20_000*i, InBPS: 300_000_000 + 140_000_000*i,
			OutPPS: 60_000 - 10*i, OutBPS: 480_000_000 - 1000*i,
		})
	}
	return s
}

func grant() *api.Granted {
	return &api.Granted{
		BusyPoll: "refused", BusyReason: "the driver names no NAPI", Deferral: "2/200µs by sysfs",
		Huge: "thp", Node: 1, Frames: 8192, NICRing: 4096, Fill: 12,
	}
}

func pipeline() api.Pipeline {
	return api.Pipeline{
		Time: Now(),
		Queues: []api.Queue{
			{Interface: "eth0", Core: 2, Mode: "zerocopy", Busy: 0.75, Fill: 93,
				Lost: api.Places{NIC: 3, XDP: 17, Ring: 4200, Table: 9}, Granted: grant()},
			{Interface: "eth1", Queue: 1, Worker: 1, Core: -1, Mode: "fanout"},
		},
		Stages: []api.Stage{
			{Name: "interface", Unit: "frames", In: 1_000_000, Out: 995_783,
				InNow: 1_310_900, OutNow: 1_310_000,
				Lost: []api.Loss{{Name: "ring_full", N: 4200, Now: 900},
					{Name: "no_buffer", N: 17}}},
			{Name: "decode", Unit: "packets", In: 995_783, Out: 995_700, InNow: 1_310_000,
				OutNow: 1_309_990, Lost: []api.Loss{{Name: "malformed", N: 83, Now: 10}}},
			{Name: "networks", Unit: "packets", In: 995_700, Out: 995_000, InNow: 1_309_990,
				OutNow: 1_309_945, Lost: []api.Loss{{Name: "foreign", N: 700, Now: 45}}},
			{Name: "attacks", Unit: "incidents", In: 2, Out: 2, Lost: []api.Loss{}},
		},
		Findings: []api.Finding{
			{ID: "link_down", Severity: "error", Stage: "interface",
				Message: "The link of eth1 is down.", Try: "ip link show eth1"},
			{ID: "ring_full", Severity: "warning", Stage: "interface",
				Message: "Worker 0 loses 900 frames per second.", Try: "weir cores"},
			{ID: "decode_ok", Severity: "ok", Stage: "decode", Message: "Packets are read."},
		},
	}
}

func hosts() api.HostList {
	return api.HostList{
		Time: Now(), Active: 3, Floor: 10,
		Hosts: []api.Host{
			{Address: "203.0.113.7", Group: "dns", Network: "203.0.113.0/24",
				In: rates(1_200_000, 8_600_000_000), Out: rates(2000, 9_000_000),
				Percent: 1200.5, Metric: "incoming_udp_pps", State: "attack"},
			{Address: "2001:db8::25", Group: "global", Network: "2001:db8::/48",
				In: rates(45_000, 280_000_000), Out: rates(40_000, 300_000_000),
				Percent: 82.25, Metric: "incoming_pps", State: "near"},
			{Address: "203.0.113.9", Group: "global", Network: "203.0.113.0/24",
				In: rates(5000, 20_000_000), Out: rates(18_000, 171_000_000), State: "ok"},
		},
	}
}

func whys() map[netip.Addr]api.Why {
	attack := active()
	decisions := []api.Decision{
		{Time: attack.Detected, ID: ActiveID, What: "would announce 203.0.113.7/32"},
		{Time: attack.Begin, ID: ActiveID, What: "attack began"},
	}
	return map[netip.Addr]api.Why{
		netip.MustParseAddr("203.0.113.7"): {
			Time: Now(), Address: "203.0.113.7", Ours: true, Network: "203.0.113.0/24",
			Counted: "by_address", Group: "dns", Prefix: "203.0.113.0/29", State: "attack",
			Verdict: "203.0.113.7 is attacked: incoming_udp_pps is over its limit.",
			In:      rates(1_200_000, 8_600_000_000), Out: rates(2000, 9_000_000),
			Limits: []api.Limit{{Metric: "incoming_udp_pps", Value: 600_000, Limit: 50_000,
				Percent: 1200, From: "dns"}},
			Attack: &attack, Decisions: decisions,
		},
		netip.MustParseAddr("203.0.113.9"): {
			Time: Now(), Address: "203.0.113.9", Ours: true, Network: "203.0.113.0/24",
			Counted: "by_directory", Group: "global", Allowed: true,
			AllowedBy: "203.0.113.9/32", State: "allowlisted",
			Verdict: "203.0.113.9 is on the allowlist: it is never acted on.",
			In:      rates(5000, 20_000_000), Out: rates(18_000, 171_000_000),
			Limits: []api.Limit{{Metric: "outgoing_pps", Value: 18_000, Limit: 100_000,
				Percent: 18, From: "global"}},
		},
	}
}

func networks() api.NetworkList {
	return api.NetworkList{Time: Now(), Networks: []api.Network{
		{Prefix: "203.0.113.0/24", Active: 2, In: rates(1_205_000, 8_620_000_000),
			Out: rates(20_000, 180_000_000), Attacks: 1, Exact: true},
		{Prefix: "2001:db8::/48", Active: 1, In: rates(45_000, 280_000_000),
			Out: rates(40_000, 300_000_000)},
	}}
}

func exporters() api.ExporterList {
	number := func(v float64) *float64 { return &v }
	return api.ExporterList{Time: Now(), Matched: 3, Unlisted: 7, Exporters: []api.Exporter{
		{Address: "192.0.2.9", Protocol: "netflow9", Datagrams: 81_000, Flows: 2_400_000,
			Options: 60, Templates: 240, Lost: 810, LostUnit: "datagrams", Late: 2, Restarts: 1,
			SamplingRate: 1000, SamplingFrom: "options", ClockSkewMS: number(12.5),
			MedianFlow: number(4.095), DetectionDelay: number(65.535), LastSeen: Now(), Idle: 0.25},
		{Address: "2001:db8:ffff::1", Protocol: "ipfix", Datagrams: 40, Templates: 0,
			LostUnit: "records", TemplatesMissing: 40, SamplingFrom: "unknown",
			ClockSkewMS: number(-7_200_000), LastSeen: Now().Add(-time.Minute), Idle: 60},
		{Address: "192.0.2.10", Protocol: "sflow5", Datagrams: 9000, Flows: 63_000,
			CounterSamples: 1200, Discarded: 3, LostUnit: "datagrams", Skipped: 5, Faults: 1,
			SamplingRate: 512, SamplingFrom: "record", LastSeen: Now(), Idle: 0.5,
			Interfaces: []api.ExporterInterface{{
				Index: 3, Up: true, Speed: 10_000_000_000,
				In:  api.ExporterDirection{BPS: 9_100_000_000, PPS: 812_000, Discards: 0.5},
				Out: api.ExporterDirection{BPS: 120_000_000, PPS: 15_000, Errors: 0.25},
			}}},
	}}
}

func cores() api.CoreList {
	return api.CoreList{Time: Now(), Cores: []api.Core{
		{Worker: 0, Core: 2, Interface: "eth0", Queues: []int{0, 1}, Mode: "zerocopy",
			PPS: 1_309_000, BPS: 9_390_000_000, Busy: 0.75, Fill: 93, Shed: 0.125,
			DroppedPPS: 900, Late: true, HeartAge: 0.25, DroppedAll: 4217,
			Lost: api.Places{XDP: 17, Ring: 4200}},
		{Worker: 1, Core: -1, Interface: "eth1", Queues: []int{1}, Mode: "fanout",
			HeartAge: 0.5},
	}}
}

func active() api.Attack {
	begin := Now().Add(-42 * time.Second)
	return api.Attack{
		ID: ActiveID, Target: "203.0.113.7", Direction: "incoming", State: "active",
		Begin: begin, Detected: begin.Add(1250 * time.Millisecond), DelayMS: 1250,
		Vectors: []api.Vector{{Name: "dns_amplification", Share: 0.75},
			{Name: "udp_flood", Share: 0.25}},
		Trigger: api.Trigger{Metric: "incoming_udp_pps", Value: 600_000, Limit: 50_000,
			Hostgroup: "dns", View: "mirrors"},
		PPS: 1_200_000, BPS: 8_600_000_000, FPS: 120_000,
		PeakPPS: 1_400_000, PeakBPS: 9_900_000_000, PeakFPS: 150_000,
		Actions: []api.Action{{Time: begin.Add(1300 * time.Millisecond), Kind: "blackhole",
			Prefix: "203.0.113.7/32", Communities: []string{"65535:666", "no-export"},
			Event:  "announced",
			DryRun: true}},
		Evidence: "/var/lib/weir/incidents/" + ActiveID,
	}
}

func over() api.Attack {
	begin := Now().Add(-3 * time.Hour)
	end := begin.Add(10 * time.Minute)
	return api.Attack{
		ID: OverID, Target: "2001:db8::25", Direction: "incoming", State: "over",
		Begin: begin, Detected: begin.Add(2 * time.Second), End: &end, DelayMS: 2000,
		Vectors: []api.Vector{{Name: "syn_flood", Share: 1}},
		Trigger: api.Trigger{Metric: "incoming_syn_pps", Value: 300_000, Limit: 20_000,
			Hostgroup: "global", View: "mirrors"},
		PeakPPS: 310_000, PeakBPS: 150_000_000, PeakFPS: 300_000, Allowed: true,
		Actions: []api.Action{{Time: begin.Add(2 * time.Second), Kind: "blackhole",
			Prefix: "2001:db8::25/128", Communities: []string{}, Event: "withdrawn",
			Reason: "attack_over", DryRun: true}},
	}
}
