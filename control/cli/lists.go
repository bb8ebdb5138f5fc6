package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newHosts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hosts [FILTER]",
		Short: "the busiest hosts of the last second; FILTER is a prefix, address or hostgroup",
		Args:  cobra.MaximumNArgs(1),
	}
	var q api.HostQuery
	flags := cmd.Flags()
	flags.StringVar(&q.Sort, "sort", "pps", "pps, bps, fps or percent (of the nearest limit)")
	flags.StringVar(&q.Direction, "direction", "both", "incoming, outgoing or both")
	flags.IntVar(&q.Family, "family", 0, "4 or 6; 0 for both")
	flags.IntVarP(&q.Limit, "limit", "n", 20, "hosts at most")
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, args []string, c *api.Client) (api.HostList, error) {
			if len(args) > 0 {
				q.Filter = args[0]
			}
			return c.Hosts(cmd.Context(), q)
		}, printHosts)
	return cmd
}

func printHosts(w io.Writer, l api.HostList) {
	if len(l.Hosts) == 0 {
		fmt.Fprintf(w, "No host that fits had a packet in the last second; %d had.\n"+
			"  try: weir status --pipeline\n", l.Active)
		return
	}
	rows := [][]string{{"HOST", "GROUP", "IN", "", "FLOWS", "OUT", "", "NEAREST LIMIT", "STATE"}}
	for i := range l.Hosts {
		h := &l.Hosts[i]
		near := "-"
		if h.Metric != "" {
			near = fmt.Sprintf("%3.0f %% %s", h.Percent, h.Metric)
		}
		rows = append(rows, []string{
			h.Address, h.Group, pps(h.In.PPS), bps(h.In.BPS), rateText(h.In.FPS, ""),
			pps(h.Out.PPS), bps(h.Out.BPS), near, h.State,
		})
	}
	columns(w, rows)
	fmt.Fprintf(w, "%d of %d that fit, %d active", len(l.Hosts), l.Matched, l.Active)
	if l.Floor > 0 {
		fmt.Fprintf(w, "; hosts below %d packets are left out", l.Floor)
	}
	fmt.Fprintln(w)
}

func newNetworks() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "networks",
		Short: "the home networks in the last second",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, _ []string, c *api.Client) (api.NetworkList, error) {
			return c.Networks(cmd.Context())
		}, printNetworks)
	return cmd
}

func printNetworks(w io.Writer, l api.NetworkList) {
	rows := [][]string{{"NETWORK", "HOSTS", "IN", "", "OUT", "", "ATTACKS", "COUNTED"}}
	for i := range l.Networks {
		n := &l.Networks[i]
		counted := "by directory"
		if n.Exact {
			counted = "by address"
		}
		rows = append(rows, []string{
			n.Prefix, fmt.Sprint(n.Active), pps(n.In.PPS), bps(n.In.BPS), pps(n.Out.PPS),
			bps(n.Out.BPS), fmt.Sprint(n.Attacks), counted,
		})
	}
	columns(w, rows)
}

func newCores() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cores",
		Short: "the workers in the last second: how busy, how full their rings",
		Args:  cobra.NoArgs,
	}
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, _ []string, c *api.Client) (api.CoreList, error) {
			return c.Cores(cmd.Context())
		}, printCores)
	return cmd
}

func printCores(w io.Writer, l api.CoreList) {
	rows := [][]string{{"WORKER", "CORE", "INTERFACE", "QUEUES", "MODE", "RATE", "", "BUSY", "RING",
		"SHED", "DROPPED", "HEARTBEAT"}}
	for i := range l.Cores {
		c := &l.Cores[i]
		core, heart := fmt.Sprint(c.Core), fmt.Sprintf("%.1f s ago", c.HeartAge)
		if c.Core < 0 {
			core = "any"
		}
		if c.Late {
			heart += ", late"
		}
		queues := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Queues), " ", ","), "[]")
		rows = append(rows, []string{
			fmt.Sprint(c.Worker), core, c.Interface, queues, c.Mode, pps(c.PPS), bps(c.BPS),
			fmt.Sprintf("%.0f %%", 100*c.Busy), fmt.Sprintf("%d %%", c.Fill),
			fmt.Sprintf("%.0f %%", 100*c.Shed),
			fmt.Sprintf("%d (%d/s)", c.DroppedAll, c.DroppedPPS), heart,
		})
	}
	columns(w, rows)
}
