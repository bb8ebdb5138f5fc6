package cli

import (
	"fmt"
	"io"
	"strings"

	"weir/control/api"
)

// placesText says where what was lost was lost.
func placesText(p *api.Places) string {
	var parts []string
	for _, place := range []struct {
		name string
		n    uint64
	}{{"nic", p.NIC}, {"xdp", p.XDP}, {"ring", p.Ring}, {"table", p.Table}} {
		if place.n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", place.name, place.n))
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// printQueues prints what each queue was granted, and how it fares.
func printQueues(w io.Writer, queues []api.Queue) {
	if len(queues) == 0 {
		return
	}
	rows := [][]string{{"INTERFACE", " QUEUE", " WORKER", "MODE", "BUSY POLL", "HUGE PAGES",
		" NODE", " RING", " NIC RING", " BUSY", " FILL", "LOST AT"}}
	deferral := map[string]string{}
	for i := range queues {
		q := &queues[i]
		row := []string{q.Interface, fmt.Sprint(q.Queue), fmt.Sprint(q.Worker), q.Mode,
			"-", "-", "-", "-", "-"}
		if g := q.Granted; g != nil {
			row = append(row[:4], g.BusyPoll, g.Huge, known(g.Node, -1), fmt.Sprint(g.Frames),
				known(g.NICRing, 0))
			deferral[q.Interface] = g.Deferral
		}
		rows = append(rows, append(row, fmt.Sprintf("%.0f %%", 100*q.Busy),
			fmt.Sprintf("%d %%", q.Fill), placesText(&q.Lost)))
	}
	fmt.Fprintln(w)
	columns(w, rows)
	printed := map[string]bool{}
	for i := range queues {
		q := &queues[i]
		if text := deferral[q.Interface]; text != "" && !printed[q.Interface] {
			printed[q.Interface] = true
			fmt.Fprintf(w, "interrupts of %s: %s\n", visible(q.Interface), visible(text))
		}
		if g := q.Granted; g != nil && g.BusyReason != "" {
			fmt.Fprintf(w, "queue %d of %s is not busy-polled: %s\n", q.Queue,
				visible(q.Interface), visible(g.BusyReason))
		}
	}
}

// known writes a number, or a dash for the one that means that it is not known.
func known(n, unknown int) string {
	if n == unknown {
		return "-"
	}
	return fmt.Sprint(n)
}
