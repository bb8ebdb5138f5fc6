package cli

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newExporters() *cobra.Command {
	cmd := &cobra.Command{
		Use: "exporters [FILTER]",
		Short: "who sends flow exports: what each sent, lost and told; FILTER is a prefix or an " +
			"address",
		Args: cobra.MaximumNArgs(1),
	}
	limit := cmd.Flags().IntP("limit", "n", api.DefaultExporters, "exporters at most")
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, args []string, c *api.Client) (l api.ExporterList, err error) {
			q := api.ExporterQuery{Limit: *limit}
			if q.Limit == 0 { // the client would leave the number to the daemon
				return l, usageError("--limit is 0, not a number from 1 to %d", api.MaxExporters)
			}
			if len(args) > 0 {
				if q.Prefix, err = api.ParseExporters(args[0]); err != nil {
					return l, usageError("%v", err)
				}
			}
			return c.Exporters(cmd.Context(), q)
		}, printExporters)
	return cmd
}

func printExporters(w io.Writer, l api.ExporterList) {
	if len(l.Exporters) == 0 {
		none(w, "No exporter that fits has sent a flow export.", "weir status --pipeline")
		return
	}
	printExporterRows(w, l.Exporters)
	fmt.Fprintf(w, "%d of %d that fit. Half of the flows take less than FLOW; 19 of 20 are told "+
		"of within DELAY\nof their first packet: attacks are found so much later.\n",
		len(l.Exporters), l.Matched)
	if l.Unlisted > 0 {
		fmt.Fprintf(w, "%d datagrams are of further exporters, which found no place here; their "+
			"flows count.\n", l.Unlisted)
	}
}

func printExporterRows(w io.Writer, exporters []api.Exporter) {
	rows := [][]string{{"EXPORTER", "PROTOCOL", " FLOWS", " DATAGRAMS", " LOST", " NO TEMPLATE",
		" SAMPLING", "LEARNED", " SKEW", " FLOW", " DELAY", "SEEN"}}
	for i := range exporters {
		e := &exporters[i]
		lost := fmt.Sprintf("%.2g %%", 100*e.LossShare())
		if e.Lost == 0 {
			lost = "0"
		}
		sampling := "-"
		if e.SamplingRate > 0 {
			sampling = fmt.Sprintf("1:%d", e.SamplingRate)
		}
		skew := "-"
		if e.ClockSkewMS != nil {
			skew = secondsText(*e.ClockSkewMS / 1000)
		}
		rows = append(rows, []string{
			e.Address, e.Protocol, fmt.Sprint(e.Flows), fmt.Sprint(e.Datagrams), lost,
			fmt.Sprint(e.TemplatesMissing), sampling, e.SamplingFrom, skew, upTo(e.MedianFlow),
			upTo(e.DetectionDelay), secondsText(e.Idle) + " ago",
		})
	}
	columns(w, rows)
}

// upTo writes the end of a bucket that doubles: less than the next.
func upTo(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return "<" + secondsText(*seconds)
}

// secondsText writes a time with as many digits as say something, e.g. "250ms", "4.1s", "2h0m0s".
func secondsText(s float64) string {
	d := time.Duration(max(-math.MaxInt64, min(s*1e9, math.MaxInt64/2)))
	switch a := d.Abs(); {
	case a < time.Second:
		return d.Round(time.Millisecond).String()
	case a < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
