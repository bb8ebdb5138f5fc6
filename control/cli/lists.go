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
			if q.Limit == 0 { // the client would leave the number to the daemon
				return api.HostList{}, usageError("--limit is 0, not a number from 1 to %d",
					api.MaxHosts)
			}
			return c.Hosts(cmd.Context(), q)
		}, printHosts)
	return cmd
}

func printHosts(w io.Writer, l api.HostList) {
	switch {
	case l.Active == 0:
		none(w, "No host of the networks had a packet in the last second.",
			"weir status --pipeline")
		return
	case len(l.Hosts) == 0:
		none(w, fmt.Sprintf("None of the %s with packets in the last second fits%s.",
			count(l.Active, "host"), floorText(l.Floor)), "weir hosts")
		return
	}
	rows := [][]string{{"HOST", "GROUP", " IN", " ", " FLOWS", " OUT", " ", "NEAREST LIMIT",
		"STATE"}}
	for i := range l.Hosts {
		h := &l.Hosts[i]
		near := "-"
		if h.Metric != "" {
			near = fmt.Sprintf("%4.0f %% %s", h.Percent, h.Metric)
		}
		rows = append(rows, []string{
			h.Address, h.Group, pps(h.In.PPS), bps(h.In.BPS), rateText(h.In.FPS, ""),
			pps(h.Out.PPS), bps(h.Out.BPS), near, h.State,
		})
	}
	columns(w, rows)
	fmt.Fprintf(w, "%d of %d that fit, %d active%s\n", len(l.Hosts), l.Matched, l.Active,
		floorText(l.Floor))
}

// floorText says which hosts the daemon did not keep, if there are such.
func floorText(pps uint64) string {
	if pps == 0 {
		return ""
	}
	return fmt.Sprintf("; hosts below %d packets are left out", pps)
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
	if len(l.Networks) == 0 {
		none(w, "No second has been counted yet: no network has a picture.", "weir status")
		return
	}
	rows := [][]string{{"NETWORK", " HOSTS", " IN", " ", " OUT", " ", " ATTACKS", "COUNTED"}}
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
	if len(l.Cores) == 0 {
		none(w, "No worker runs: weir captures from no interface.", "weir config show")
		return
	}
	rows := [][]string{{" WORKER", " CORE", "INTERFACE", "QUEUES", "MODE", " RATE", " ", " BUSY",
		" RING", " SHED", " DROPPED", "LOST AT", "HEARTBEAT"}}
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
			fmt.Sprintf("%d (%d/s)", c.DroppedAll, c.DroppedPPS), placesText(&c.Lost), heart,
		})
	}
	columns(w, rows)
}
