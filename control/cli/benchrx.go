package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/bench"
)

// rxOptions are the flags of `weir bench rx`.
type rxOptions struct {
	veth      bool
	via       string
	workloads []string
	home      string
	rate      float64
	highest   float64
	trial     time.Duration
	runs      int
	tries     int
	ndr       bool
	pdr       bool
	allowed   float64
	hold      time.Duration
	at        string
	force     bool
}

func newBenchRx() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rx [IFACE]",
		Short: "CPU time and losses of a worker on a live interface; the highest rate without loss",
		Long: `Receive what comes to IFACE, or, without one, what a generator sends to a veth made
for this, with the real source, worker and tables. It needs root. The generator and the kernel's
half of the work have CPU 0, the worker has the last: figures of a veth are no line rates. Exit 1
if no packet came, or the interface went away.`,
		Args: cobra.MaximumNArgs(1),
	}
	output := outputFlag(cmd)
	o := &rxOptions{}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		plan, err := o.plan(cmd, args)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		for i := range plan {
			if err := o.measure(ctx, cmd.OutOrStdout(), &plan[i], asJSON); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (o *rxOptions) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.veth, "veth", false, "make a veth, and send; the default without IFACE")
	f.StringVar(&o.via, "via", bench.ViaAFXDP, "receive through afxdp or afpacket")
	f.StringSliceVar(&o.workloads, "workload", []string{"W2"},
		"what is sent over the veth: W1 to W8; all is every one")
	f.StringVar(&o.home, "home", "10.0.0.0/8", "prefix whose hosts are counted, on IFACE")
	f.Float64Var(&o.rate, "rate", 5e5, "packets per second to send over the veth")
	f.DurationVar(&o.trial, "trial", 5*time.Second, "length of a run, or of a trial of a search")
	f.IntVar(&o.runs, "runs", 5, "runs, of which the median counts")
	f.BoolVar(&o.ndr, "ndr", false, "search the highest rate without loss")
	f.BoolVar(&o.pdr, "pdr", false, "search the highest rate with a loss of at most --loss")
	f.Float64Var(&o.allowed, "loss", 0.5, "loss that --pdr allows, in percent")
	f.Float64Var(&o.highest, "max", 5e6, "where searches begin, packets per second")
	f.IntVar(&o.tries, "tries", 2, "trials at a rate, of which one must pass")
	f.DurationVar(&o.hold, "hold", 0, "then run the daemon at --at of that rate for so long, with "+
		"a reload and a scrape each second, up to three times")
	f.StringVar(&o.at, "at", "70%", "part of the highest rate without loss to hold")
	f.BoolVar(&o.force, "force", false, "also on the interface of the default route")
}

// measure runs one workload, and prints what came of it.
func (o *rxOptions) measure(
	ctx context.Context, out io.Writer, c *bench.RxConfig, asJSON bool,
) error {
	r, err := bench.Rx(ctx, c)
	if err != nil {
		return err
	}
	if o.hold > 0 {
		if r.Hold, err = o.holdRate(ctx, c, &r); err != nil {
			return err
		}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(&r)
	}
	return printRx(out, &r)
}

// plan returns what the flags ask for, a run for each workload.
func (o *rxOptions) plan(cmd *cobra.Command, args []string) ([]bench.RxConfig, error) {
	name, err := o.interfaceName(args, os.Geteuid() == 0)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	c := bench.RxConfig{
		Interface: name, Via: o.via, Rate: o.rate, Seconds: o.trial.Seconds(), Runs: o.runs,
		Force: o.force, Degraded: benchDegraded(),
	}
	if name != "" {
		if err := checkUnused(cmd, "an interface: a veth has a generator", "workload", "rate",
			"ndr", "pdr", "loss", "max", "tries", "hold", "at"); err != nil {
			return nil, err
		}
		if c.Home, err = netip.ParsePrefix(o.home); err != nil {
			return nil, usageError("--home: %w", err)
		}
		return []bench.RxConfig{c}, nil
	}
	if err := checkUnused(cmd, "a veth, whose workload says it", "home"); err != nil {
		return nil, err
	}
	c.Searches = o.searches()
	workloads, err := findWorkloads(o.workloads)
	if err != nil {
		return nil, err
	}
	var plan []bench.RxConfig
	for _, w := range workloads {
		c.Workload = w
		plan = append(plan, c)
	}
	return plan, nil
}

// interfaceName returns the interface to receive from; "" is a veth, which only root can make.
func (o *rxOptions) interfaceName(args []string, root bool) (string, error) {
	switch {
	case len(args) == 1 && o.veth:
		return "", usageError("--veth makes an interface: %s is one too many", args[0])
	case len(args) == 1:
		return args[0], nil
	case !root && !o.veth:
		return "", usageError("name an interface; without one a veth is made, which needs root")
	}
	return "", nil
}

// check returns what is wrong with the flags, whatever is received from.
func (o *rxOptions) check() error {
	if err := checkNames("via", []string{o.via},
		[]string{bench.ViaAFXDP, bench.ViaAFPacket}); err != nil {
		return err
	}
	if err := checkNumbers(number{"runs", o.runs, 1, mostRuns},
		number{"tries", o.tries, 1, mostRuns}); err != nil {
		return err
	}
	if err := checkRate("rate", o.rate); err != nil {
		return err
	}
	if err := checkRate("max", o.highest); err != nil {
		return err
	}
	if o.trial <= 0 || o.trial > mostTime {
		return usageError("--trial is %v, not above 0 and up to %v", o.trial, mostTime)
	}
	if o.hold < 0 || o.hold > mostTime {
		return usageError("--hold is %v, not from 0 to %v", o.hold, mostTime)
	}
	if !(o.allowed >= 0 && o.allowed < 100) {
		return usageError("--loss is %v, not from 0 to below 100 percent", o.allowed)
	}
	_, err := percent(o.at)
	return err
}

// searches returns the searches that are asked for; to hold a part of the NDR takes the NDR.
func (o *rxOptions) searches() (list []bench.Search) {
	s := bench.Search{Highest: o.highest, Within: 0.02, Tries: o.tries}
	if o.ndr || o.hold > 0 {
		list = append(list, s)
	}
	if o.pdr {
		s.Allowed = o.allowed / 100
		list = append(list, s)
	}
	return list
}

// holdTries is how often holding a rate is tried.
const holdTries = 3

// holdRate runs the daemon at a part of the NDR, which is the first that was searched.
func (o *rxOptions) holdRate(
	ctx context.Context, c *bench.RxConfig, r *bench.RxResult,
) ([]bench.Hold, error) {
	share, err := percent(o.at)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return bench.HoldRate(ctx, &bench.HoldConfig{
		Program: program, Via: c.Via, Workload: c.Workload, Seconds: o.hold.Seconds(),
		Tries: holdTries, Rate: r.Rates[0].PPS * share,
	})
}

// percent reads a share of above 0 to 100 percent, with or without the sign.
func percent(text string) (float64, error) {
	p, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(p > 0) || p > 100 {
		return 0, usageError("--at is %q, no percentage above 0 and up to 100", text)
	}
	return p / 100, nil
}
