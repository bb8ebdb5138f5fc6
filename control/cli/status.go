package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [--pipeline | --routes]",
		Short: "how the daemon fares; --pipeline: where packets went, and what is wrong; " +
			"--routes: every blackhole",
		Args: cobra.NoArgs,
	}
	a := askFlags(cmd)
	pipeline := cmd.Flags().Bool("pipeline", false, "per stage: in, out, lost and why")
	routes := cmd.Flags().Bool("routes", false, "every blackhole, with its state and its lease")
	plain := ask(a, askStatus, printStatus)
	stages := ask(a, func(cmd *cobra.Command, _ []string, c *api.Client) (api.Pipeline, error) {
		return c.Pipeline(cmd.Context())
	}, printStages)
	all := ask(a, func(cmd *cobra.Command, _ []string, c *api.Client) (api.RouteList, error) {
		return c.Routes(cmd.Context())
	}, printRoutes)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *pipeline && *routes:
			return usageError("--pipeline and --routes are two questions")
		case *pipeline:
			return stages(cmd, args)
		case *routes:
			return all(cmd, args)
		}
		return plain(cmd, args)
	}
	return cmd
}

// askStatus asks for the routes, too, where there are any.
func askStatus(cmd *cobra.Command, _ []string, c *api.Client) (s statusAnswer, err error) {
	if s.Status, err = c.Status(cmd.Context()); err != nil || s.Mitigation.Routes == 0 {
		return s, err
	}
	l, err := c.Routes(cmd.Context())
	s.routes = l.Routes
	return s, err
}

func printStatus(w io.Writer, s statusAnswer) {
	for _, p := range s.Problems {
		fmt.Fprintln(w, hang("! ", p))
	}
	if len(s.Problems) > 0 {
		fmt.Fprintf(w, "  try: weir status --pipeline\n\n")
	}
	rows := [][]string{
		{"weir " + s.Version, strings.ToUpper(s.Mode) + ", up " + uptime(s.Uptime)},
		{"configuration", fmt.Sprintf("%s, policy %s, loaded %s", s.Config.File, s.Config.Hash,
			s.Config.Loaded.Format(time.RFC3339))},
		{"home", fmt.Sprintf("%s, %s; %s active", count(s.Config.Networks, "network"),
			count(s.Config.Hostgroups, "hostgroup"), count(s.Hosts, "host"))},
	}
	rows = append(rows, trafficRows(&s.Status)...)
	rows = append(rows, [][]string{
		{"attacks", fmt.Sprintf("%d active, %d since the start", s.Attacks, s.Total)},
		{"memory", fmt.Sprintf("tables %s of %s, heap %s; %s in huge pages",
			binaryText(s.Memory.Tables), binaryText(s.Memory.Budget), binaryText(s.Memory.Heap),
			binaryText(s.Memory.Huge))},
		{"loop", fmt.Sprintf("tick %.1f ms, longest %.1f ms; %d late flips", s.Loop.TickMillis,
			s.Loop.TickMillisMax, s.Loop.Late)},
	}...)
	rows = append(rows, mitigationRows(&s.Mitigation)...)
	if len(s.Config.Restart) > 0 {
		rows = append(rows, []string{"restart", "changed in the file, in force after a restart: " +
			strings.Join(s.Config.Restart, ", ")})
	}
	columns(w, rows)
	printMitigation(w, &s.Mitigation, s.routes)
	fmt.Fprintln(w)
	if len(s.Sources) == 0 {
		none(w, "weir captures from no interface: nothing can arrive.", "weir config show")
		return
	}
	columns(w, sourceRows(s.Sources))
}

// trafficRows are of the last second: what came in as frames and as flow exports, where there are
// sources of them, and what that is of home networks.
func trafficRows(s *api.Status) (rows [][]string) {
	t := &s.Traffic
	ports := 0
	for i := range s.Sources {
		if e := s.Sources[i].Engine; e == "udp" || e == "tcp" {
			ports++
		}
	}
	if ports < len(s.Sources) || ports == 0 {
		rows = append(rows, []string{"received", fmt.Sprintf("%s, %s; %s foreign, %s dropped",
			pps(t.PPS), bps(t.BPS), pps(t.Foreign), pps(t.Dropped))})
	}
	if ports > 0 {
		rows = append(rows, []string{"exports", fmt.Sprintf("%s datagrams/s, %s flow records/s",
			rateText(t.Datagrams, ""), rateText(t.Records, ""))})
	}
	return append(rows, []string{"incoming", ratesText(&t.In)},
		[]string{"outgoing", ratesText(&t.Out)})
}

// ratesText writes one direction's rates. Flows of a whole network are not known.
func ratesText(r *api.Rates) string {
	text := fmt.Sprintf("%s, %s", pps(r.PPS), bps(r.BPS))
	if r.FPS > 0 {
		text += ", " + rateText(r.FPS, "fps")
	}
	return fmt.Sprintf("%s (tcp %s, udp %s, icmp %s, syn %s, frag %s)", text, rateText(r.TCP, ""),
		rateText(r.UDP, ""), rateText(r.ICMP, ""), rateText(r.SYN, ""), rateText(r.Frag, ""))
}

func sourceRows(sources []api.Source) [][]string {
	rows := [][]string{{"SOURCE", " QUEUE", " WORKER", "STATE", "MODE", " RECEIVED", "DROPPED", ""}}
	for i := range sources {
		s := &sources[i]
		rows = append(rows, []string{
			s.Engine + " " + s.Interface, fmt.Sprint(s.Queue), fmt.Sprint(s.Worker), s.State,
			s.Mode, fmt.Sprint(s.Received), lossText(s.Dropped), s.Reason,
		})
	}
	return rows
}

// lossText names what was lost, without what was not.
func lossText(lost map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(lost)) {
		if lost[name] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, lost[name]))
		}
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// uptime writes a time in whole seconds, e.g. "3d4h0m7s".
func uptime(seconds float64) string {
	const day = 24 * time.Hour
	up := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if up < day {
		return up.String()
	}
	return fmt.Sprintf("%dd%v", up/day, up%day)
}

func printStages(w io.Writer, p api.Pipeline) {
	rows := [][]string{{"STAGE", "UNIT", " IN", " OUT", " IN/s", " OUT/s", "LOST (NOW)"}}
	for i := range p.Stages {
		s := &p.Stages[i]
		var lost []string
		for _, l := range s.Lost {
			lost = append(lost, fmt.Sprintf("%s %d (%d/s)", l.Name, l.N, l.Now))
		}
		if len(lost) == 0 {
			lost = []string{"-"}
		}
		rows = append(rows, []string{
			s.Name, s.Unit, fmt.Sprint(s.In), fmt.Sprint(s.Out), fmt.Sprint(s.InNow),
			fmt.Sprint(s.OutNow), strings.Join(lost, ", "),
		})
	}
	if len(p.Stages) == 0 {
		fmt.Fprintln(w, "No second has been counted yet.")
	} else {
		columns(w, rows)
	}
	printQueues(w, p.Queues)
	if len(p.Exporters) > 0 {
		fmt.Fprintln(w)
		printExporterRows(w, p.Exporters)
	}
	for _, f := range p.Findings {
		fmt.Fprintf(w, "\n%s %s\n", severity(f.Severity, colour(w)), visible(f.Message))
		if f.Try != "" {
			fmt.Fprintf(w, "        try: %s\n", visible(f.Try))
		}
	}
}
