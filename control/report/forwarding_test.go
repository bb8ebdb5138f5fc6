package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"weir/control/rate"
)

// What routers dropped of the evidence stands in both documents, with the reasons, as part of the
// rates at the verdict. The samples of evidence4 that are incoming stand for 1605 packets, the
// second one for 1600.
func TestForwarding(t *testing.T) {
	ev := evidence4()
	ev.Samples[1].Forwarding = 2<<6 | 10
	ev.Samples[3].Forwarding = 2<<6 | 1
	ev.Samples[4].Forwarding = 2<<6 | 63 // no reason that there is
	ev.Samples[5].Forwarding = 1 << 6
	text, doc := render(t, incident4(), ev, DefaultOptions())
	var got struct {
		Details map[string]any `json:"attack_details"`
		Packets []packet       `json:"packet_dump_detailed"`
		Weir    account        `json:"weir"`
	}
	if err := json.Unmarshal([]byte(doc), &got); err != nil {
		t.Fatal(err)
	}
	var statuses []string
	for _, p := range got.Packets {
		statuses = append(statuses, p.ForwardingStatus)
	}
	if !slices.Equal(statuses, []string{"unknown", "dropped", "unknown", "dropped", "dropped",
		"forwarded", "unknown", "unknown"}) {
		t.Error(statuses)
	}
	f := got.Weir.Forwarding.Incoming
	if f == nil || f.Packets != 1605 || f.Told != 1603 || f.Dropped != 1602 ||
		!slices.Equal(f.Reasons, []reason{{"policer", 1600}, {"acl_deny", 1}, {"unknown", 1}}) ||
		got.Weir.Forwarding.Outgoing != nil {
		t.Errorf("%+v of %+v", f, got.Weir.Forwarding)
	}
	const pps, bits = 82000 * 1602 / 1605, 82000 * 480 * 2240120 / 2240300
	if got.Details["incoming_dropped_pps"] != float64(pps) ||
		got.Details["incoming_dropped_traffic_bits"] != float64(bits) ||
		got.Details["outgoing_dropped_pps"] != 0.0 {
		t.Errorf("%v %v, want %d %d", got.Details["incoming_dropped_pps"],
			got.Details["incoming_dropped_traffic_bits"], pps, bits)
	}
	for _, line := range []string{
		"Incoming dropped traffic: 39 mbps", "Incoming dropped pps: 81846 packets per second",
		"Outgoing dropped pps: 0 packets per second",
		"Dropped by routers, incoming: 99.8% of the packets that the evidence stands for: " +
			"policer 99.7%, acl_deny 0.1%, unknown 0.1%",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %q in:\n%s", line, text[:2000])
		}
	}
	if strings.Contains(text, "Dropped by routers, outgoing") {
		t.Error("outgoing packets, of which nothing was told")
	}
}

// Evidence of routers that drop nothing says so; of no evidence nothing is said.
func TestForwarding_Nothing(t *testing.T) {
	ev := evidence4()
	ev.Samples[1].Forwarding = 1 << 6
	text, _ := render(t, incident4(), ev, DefaultOptions())
	if !strings.Contains(text, "incoming: 0.0% of the packets that the evidence stands for\n") {
		t.Error(text)
	}
	text, doc := render(t, incident4(), nil, DefaultOptions())
	if strings.Contains(text, "by routers") || strings.Contains(doc, `"forwarding"`) {
		t.Error(text, doc)
	}
	var none fate
	if pps, bits := none.of(&incident4().AtVerdict[rate.Incoming]); pps|bits != 0 {
		t.Error(pps, bits)
	}
}
