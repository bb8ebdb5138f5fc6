package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	const base = "version: 1\nnetworks: [10.0.0.0/24]\n"
	f := func(older, newer string, want ...string) {
		t.Helper()
		a, findings := Parse("older", []byte(base+older))
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		b, findings := Parse("newer", []byte(base+newer))
		if findings.Err() != nil {
			t.Fatal(findings)
		}
		var got []string
		for _, c := range Diff(a, b) {
			line := fmt.Sprintf("%s: %s -> %s", c.Path, c.Old, c.New)
			if c.Restart {
				line += " (restart)"
			}
			got = append(got, line)
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	f("", "")
	f("thresholds: {incoming: {pps: 20k}}", "thresholds: {incoming: {pps: 30k, udp_pps: 5}}",
		"thresholds.incoming.pps: 20000 -> 30000",
		"thresholds.incoming.udp_pps:  -> 5")
	f("thresholds: {incoming: {pps: 20k, udp_pps: 5}}", "thresholds: {incoming: {pps: 20k}}",
		"thresholds.incoming.udp_pps: 5 -> ")
	f("ban: {time: 1m}", "ban: {time: 2m}", `ban.time: "1m" -> "2m"`)
	f("hostgroups: [{name: a, prefixes: [10.0.0.1/32]}]",
		"hostgroups: [{name: b, prefixes: [10.0.0.1/32, 10.0.0.2/32]}]",
		`hostgroups[0].name: "a" -> "b"`,
		`hostgroups[0].prefixes: ["10.0.0.1/32"] -> ["10.0.0.1/32","10.0.0.2/32"]`)
	f("", "capture: {afxdp: [{interface: eth1}]}",
		`capture.afxdp[0]:  -> {"interface":"eth1","cores":[],"queues":[],"sampling_rate":1,`+
			`"length_from_ip":false,"direction":"both","force":false,"promiscuous":true,`+
			`"zerocopy":"prefer","busy_poll":"off","defer_irqs":true} (restart)`)
	f("", "metrics: {listen: \"127.0.0.1:1\"}",
		`metrics.listen: "127.0.0.1:9108" -> "127.0.0.1:1" (restart)`)
}
