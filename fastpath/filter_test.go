package fastpath

import (
	"strings"
	"testing"
	"time"

	"weir/counters"
	"weir/decode/netflow/netflowtest"
	"weir/decode/sflow/sflowtest"
	"weir/fastpath/filter"
)

func rulesOf(t *testing.T, text string) *filter.Rules {
	t.Helper()
	rules, err := filter.ParseRules(strings.NewReader(text), "test")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// What a rule matches is received and processed, and counts for nobody.
func TestIgnoredPackets(t *testing.T) {
	r := newRig(t, Limits{}, "10.0.0.0/24")
	r.policy.SetFilter(Filter{Rules: rulesOf(t, `{"protocols":["udp"],"source_ports":[53]}`)})
	r.offer(t, udp("8.8.8.8", "10.0.0.1", 53, 1, 100), udp("8.8.8.8", "10.0.0.1", 54, 1, 100))
	s := r.flip(t)
	if s.Processed != 2 || s.Ignored != 1 {
		t.Errorf("%d processed, %d ignored", s.Processed, s.Ignored)
	}
	if p, _ := r.find("10.0.0.1", false).Total(); p != 1 {
		t.Errorf("%d packets", p)
	}
}

// Rules see what exporters alone tell, and who tells it.
func TestIgnoredRecords(t *testing.T) {
	f := func(rule string, ignored uint64) {
		t.Helper()
		r := newFlowRig(t, Limits{}, nil, "10.0.0.0/24", "2001:db8::/48")
		r.policy.SetFilter(Filter{Rules: rulesOf(t, rule)})
		h := r.header()
		r.from("192.0.2.1:9", netflowtest.F3(nil, h, []netflowtest.Flow{{
			Src: ip4("198.51.100.1"), Dst: ip4("10.0.0.2"), Proto: 17, Packets: 50, Bytes: 5000,
			SrcAS: 64500, DstAS: 64501, In: 7, NextHop: ip4("192.0.2.254"), First: h.Uptime,
			Last: h.Uptime,
		}}))
		if s := r.flip(); s.Ignored != ignored || s.Exports.Records != 1 {
			t.Errorf("%s: %d ignored of %d", rule, s.Ignored, s.Exports.Records)
		}
	}
	for _, rule := range []string{
		`{"source_asns":[64500]}`, `{"destination_asns":[64501]}`, `{"input_interfaces":[7]}`,
		`{"ipv4_nexthops":["192.0.2.254"]}`, `{"agent_addresses":["192.0.2.1"]}`,
		`{"packet_lengths":[100]}`, `{"source_prefix":"198.51.100.0/24"}`,
	} {
		f(rule, 1)
	}
	f(`{"agent_addresses":["192.0.2.2"]}`, 0)
	f(`{"source_asns":[64501]}`, 0)
}

// The script decides about the kinds of flows that it has a function for; a policy without it ends
// that, and one with another has another decide.
func TestScriptedRecords(t *testing.T) {
	r := newFlowRig(t, Limits{}, nil, "10.0.0.0/16", "10.9.0.0/16")
	h := r.header()
	flow := []netflowtest.Flow{{
		Dst: ip4("10.0.0.2"), Proto: 17, Packets: 50, Bytes: 5000, First: h.Uptime, Last: h.Uptime,
	}}
	script := func(text string) {
		t.Helper()
		s, err := filter.NewScript([]byte(text), "test.lua")
		if err != nil {
			t.Fatal(err)
		}
		policy := *r.policy
		policy.SetFilter(Filter{Script: s, Budget: time.Second})
		r.policy = &policy
		r.flip()
	}
	f := func(ignored uint64) {
		t.Helper()
		r.from("192.0.2.1:9", netflowtest.F3(nil, h, flow))
		if s := r.flip(); s.Ignored != ignored {
			t.Errorf("%d ignored, want %d", s.Ignored, ignored)
		}
	}
	f(0)
	script(`function process_netflow(agent, flow) return false end`)
	f(1)
	if s, ok := r.Script(); !ok || s.Calls != 1 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
	script(`function process_netflow(agent, flow) return true end`)
	f(0)
	script(`function process_sflow(agent, flow) return false end`)
	f(0)
	r.from("192.0.2.1:9", sflowtest.F4(1))
	if s := r.flip(); s.Ignored+s.Foreign != s.Exports.Records || s.Exports.Records == 0 {
		t.Errorf("sFlow: %d ignored, %d foreign of %d", s.Ignored, s.Foreign, s.Exports.Records)
	}
	policy := *r.policy
	policy.SetFilter(Filter{})
	r.policy = &policy
	r.flip()
	f(0)
	if _, ok := r.Script(); ok {
		t.Error("the script is still there")
	}
	if got := r.sum("10.0.0.2", false, counters.UpTo1s).Packets[counters.UDP]; got != 50 {
		t.Errorf("%d packets", got)
	}
}
