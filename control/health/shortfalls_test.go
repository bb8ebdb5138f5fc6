package health

import (
	"strings"
	"testing"
)

func TestShortfalls(t *testing.T) {
	f := func(short Shortfalls, id, message, try string) {
		t.Helper()
		facts := healthy()
		facts.Sources[0].Short = short
		got := Findings(facts)[0]
		if got.ID != id || got.Severity != Warning || got.Message != message || got.Try != try {
			t.Errorf("%+v", got)
		}
	}
	f(Shortfalls{
		ZeroCopy: []int{3}, Mode: "copy", Reason: "zero-copy: bind: no\nzero-copy: bind: never",
	}, "zerocopy", "Queue 3 of eth1 is in mode copy, without zero-copy (zero-copy: bind: no; "+
		"zero-copy: bind: never): each frame costs about twice as much.", "ethtool -i eth1")
	f(Shortfalls{ZeroCopy: []int{0, 1, 2, 3, 4, 5}, Mode: "generic"}, "zerocopy",
		"6 queues (0, 1, 2, 3, …) of eth1 are in mode generic, without zero-copy: each frame "+
			"costs about twice as much.", "ethtool -i eth1")
	f(Shortfalls{BusyPoll: []int{0, 1}, BusyReason: "no NAPI"}, "busy_poll",
		"2 queues (0, 1) of eth1 are not busy-polled (no NAPI): interrupts bring their frames, "+
			"on another core.", "weir status --pipeline")
	f(Shortfalls{Deferral: "read-only file system"}, "irq_deferral",
		"The interrupts of eth1 are not deferred as they were to be (read-only file system).",
		"cat /sys/class/net/eth1/napi_defer_hard_irqs")
	facts := healthy()
	facts.Sources[0].State, facts.Sources[0].Short.ZeroCopy = "link_down", []int{0}
	for _, got := range Findings(facts) {
		if got.ID == "zerocopy" || strings.Contains(got.Message, "zero-copy") {
			t.Errorf("of an interface that is down: %+v", got)
		}
	}
}
