package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/tools/blast"
)

// rxOptions are the flags of `weir bench rx`.
type rxOptions struct {
	veth     bool
	via      string
	workload string
	home     string
	rate     float64
	highest  float64
	trial    time.Duration
	runs     int
	tries    int
	ndr      bool
	pdr      bool
	allowed  float64
	hold     time.Duration
	at       string
	force    bool
}

func newBenchRx() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rx [IFACE | --veth]",
		Short: "CPU time and losses of a worker on a live interface; the highest rate without loss",
		Long: `Receive what comes to IFACE, or what a generator sends to a veth made for this, with
the real source, worker and tables. It needs root. The generator and the kernel's half of the work
have CPU 0, the worker has the last: figures of a veth are no line rates.`,
		Args: cobra.MaximumNArgs(1),
	}
	output := outputFlag(cmd)
	var o rxOptions
	f := cmd.Flags()
	f.BoolVar(&o.veth, "veth", false, "make a veth, and send")
	f.StringVar(&o.via, "via", bench.ViaAFXDP, "receive through afxdp or afpacket")
	f.StringVar(&o.workload, "workload", "W2",
		"what is sent over the veth: W1 to W8, as weir blast --list names them")
	f.StringVar(&o.home, "home", "10.0.0.0/8", "prefix whose hosts are counted, on IFACE")
	f.Float64Var(&o.rate, "rate", 5e5, "packets per second to send")
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
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		c, err := o.config(args)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
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
			return json.NewEncoder(cmd.OutOrStdout()).Encode(&r)
		}
		return printRx(cmd.OutOrStdout(), &r)
	}
	return cmd
}

// config returns what the flags ask for.
func (o *rxOptions) config(args []string) (*bench.RxConfig, error) {
	if o.veth == (len(args) == 1) {
		return nil, fmt.Errorf("name an interface, or give --veth")
	}
	c := &bench.RxConfig{
		Via: o.via, Rate: o.rate, Seconds: o.trial.Seconds(), Runs: o.runs, Force: o.force,
	}
	if o.via != bench.ViaAFXDP && o.via != bench.ViaAFPacket {
		return nil, fmt.Errorf("--via is afxdp or afpacket, not %q", o.via)
	}
	if o.trial <= 0 || o.runs < 1 || o.tries < 1 || o.hold < 0 {
		return nil, fmt.Errorf("--trial, --runs and --tries are more than 0")
	}
	if o.allowed < 0 || o.allowed >= 100 {
		return nil, fmt.Errorf("--loss is from 0 to below 100 percent")
	}
	if _, err := percent(o.at); err != nil {
		return nil, err
	}
	if !o.veth {
		if o.ndr || o.pdr || o.hold > 0 {
			return nil, fmt.Errorf("a search needs a generator: --veth")
		}
		c.Interface = args[0]
		var err error
		if c.Home, err = netip.ParsePrefix(o.home); err != nil {
			return nil, fmt.Errorf("--home: %w", err)
		}
		return c, nil
	}
	w, err := blast.Find(o.workload)
	if err != nil {
		return nil, err
	}
	c.Workload = w
	search := bench.Search{Highest: o.highest, Within: 0.02, Tries: o.tries}
	if o.ndr || o.hold > 0 {
		c.Searches = append(c.Searches, search)
	}
	if o.pdr {
		search.Allowed = o.allowed / 100
		c.Searches = append(c.Searches, search)
	}
	return c, nil
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
		return 0, fmt.Errorf("read %q: it is no percentage above 0 and up to 100", text)
	}
	return p / 100, nil
}
