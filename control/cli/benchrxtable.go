package cli

import (
	"fmt"
	"io"

	"weir/bench"
)

// printRx prints what a bench of receiving found, for people.
func printRx(w io.Writer, r *bench.RxResult) error {
	h := &r.Host
	fmt.Fprintf(w, "%s, Linux %s, %s; %s through %s, granted %s\n\n",
		h.CPU, h.Kernel, h.Go, r.Interface, r.Via, orNone(r.Granted))
	if len(r.Each) > 0 {
		rows := [][]string{{"RUN", " RECEIVED", " LOST", " NIC", " XDP", " RING", " TABLE", " Mpps",
			" USER ns", " SYSTEM ns", " FILL", " GAP ms", " STEAL s"}}
		for i := range r.Each {
			e := &r.Each[i]
			rows = append(rows, []string{
				fmt.Sprint(i + 1), fmt.Sprint(e.Received), fmt.Sprint(e.Lost.Total()),
				fmt.Sprint(e.Lost[bench.LostLink]), fmt.Sprint(e.Lost[bench.LostXDP]),
				fmt.Sprint(e.Lost[bench.LostRing]), fmt.Sprint(e.Lost[bench.LostTable]),
				fmt.Sprintf("%.3f", e.MPPS), fmt.Sprintf("%.1f", e.User),
				fmt.Sprintf("%.1f", e.System), fmt.Sprintf("%d %%", e.Fill),
				fmt.Sprintf("%.2f", e.Gap), fmt.Sprintf("%.2f", e.Steal),
			})
		}
		columns(w, rows)
		fmt.Fprintf(w, "\nmedian: %.1f ns of CPU time per packet (%.1f–%.1f): user %.1f, system "+
			"%.1f; %.3f Mpps, %.4f %% lost\n", r.NSPerPacket, r.Lowest, r.Highest, r.User, r.System,
			r.MPPS, 100*r.Loss)
	}
	for i := range r.Rates {
		printRate(w, &r.Rates[i])
	}
	if len(r.Each) == 0 && r.NSPerPacket > 0 {
		fmt.Fprintf(w, "at the first: %.1f ns of CPU time per packet: user %.1f, system %.1f\n",
			r.NSPerPacket, r.User, r.System)
	}
	for i := range r.Hold {
		printHold(w, i+1, &r.Hold[i])
	}
	for _, why := range r.Degraded {
		fmt.Fprintf(w, "degraded: %s\n", why)
	}
	return nil
}

func printRate(w io.Writer, r *bench.Rate) {
	rows := [][]string{{" OFFERED Mpps", " SENT Mpps", " LOSS %", " GAP ms", " STEAL s"}}
	for i := range r.Trials {
		t := &r.Trials[i]
		rows = append(rows, []string{
			fmt.Sprintf("%.3f", t.Offered/1e6), fmt.Sprintf("%.3f", t.Sent/1e6),
			fmt.Sprintf("%.4f", 100*t.Loss), fmt.Sprintf("%.2f", t.Gap),
			fmt.Sprintf("%.2f", t.Steal),
		})
	}
	columns(w, rows)
	bound := ""
	if r.Bound {
		bound = "; the generator does no more"
	}
	fmt.Fprintf(w, "highest rate with a loss of at most %g %%: %.3f Mpps, %.4f %% lost%s\n\n",
		100*r.Allowed, r.PPS/1e6, 100*r.Loss, bound)
}

func printHold(w io.Writer, try int, h *bench.Hold) {
	fmt.Fprintf(w, "held %.3f Mpps for %.0f s, try %d: %d of %d packets lost; %d reloads, "+
		"%d scrapes\n", float64(h.Sent)/h.Seconds/1e6, h.Seconds, try, h.Lost.Total(), h.Sent,
		h.Reloads, h.Scrapes)
	if h.Lost.Total() > 0 {
		fmt.Fprintf(w, "  nic %d, xdp %d, ring %d, table %d; longest gap %.2f ms, steal %.2f s\n",
			h.Lost[bench.LostLink], h.Lost[bench.LostXDP], h.Lost[bench.LostRing],
			h.Lost[bench.LostTable], h.Gap, h.Steal)
	}
}
