package health

import (
	"fmt"
	"strings"
)

// shortfalls says what an interface was asked for and does not grant. Frames come all the same, at
// a higher price.
func shortfalls(s *Source) (out []Finding) {
	short := &s.Short
	if n := len(short.ZeroCopy); n > 0 {
		out = append(out, Finding{"zerocopy", Warning, StageInterface, fmt.Sprintf(
			"%s of %s %s in mode %s, without zero-copy%s: each frame costs about twice as much.",
			queues(short.ZeroCopy), s.Interface, are(n), short.Mode, because(short.Reason)),
			"ethtool -i " + s.Interface})
	}
	if n := len(short.BusyPoll); n > 0 {
		out = append(out, Finding{"busy_poll", Warning, StageInterface, fmt.Sprintf(
			"%s of %s %s not busy-polled%s: interrupts bring their frames, on another core.",
			queues(short.BusyPoll), s.Interface, are(n), because(short.BusyReason)),
			"weir status --pipeline"})
	}
	if short.Deferral != "" {
		out = append(out, Finding{"irq_deferral", Warning, StageInterface, fmt.Sprintf(
			"The interrupts of %s are not deferred as they were to be%s.", s.Interface,
			because(short.Deferral)),
			"cat /sys/class/net/" + s.Interface + "/napi_defer_hard_irqs"})
	}
	return out
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// queues names queues, the first few of many.
func queues(numbers []int) string {
	const most = 4
	if len(numbers) == 1 {
		return fmt.Sprintf("Queue %d", numbers[0])
	}
	var names []string
	for i, n := range numbers {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprint(n))
	}
	return fmt.Sprintf("%d queues (%s)", len(numbers), strings.Join(names, ", "))
}

// because appends a reason where there is one, as part of a sentence on one line.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + strings.TrimSuffix(strings.ReplaceAll(reason, "\n", "; "), ".") + ")"
}
