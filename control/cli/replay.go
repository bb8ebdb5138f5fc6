package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/config"
	"weir/control/daemon"
	"weir/control/report"
	"weir/fastpath/filter"
	"weir/ring/replay"
)

// replaySeed makes every random choice of a replay the same in every run.
const replaySeed = 0x77656972

func newReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay -c weir.yaml CAPTURE...",
		Short: "run the whole engine on captures, on their own clock",
		Long: `Run the whole engine on captures (pcap, pcapng, gzip; "-" is standard input), merged
by time, on their own clock. Nothing is announced: every mitigation is a dry run.

Reports and evidence are written where the configuration names a place for them (state_dir or
evidence.dir) or --evidence does; by default a replay writes no files.

Flow exports over UDP to the ports of capture.flows are read. IPFIX over TCP is not; the segments
that begin with a message are counted in the summary as skipped: ipfix_over_tcp.`,
		Args: cobra.MinimumNArgs(1),
	}
	output := outputFlag(cmd)
	path := cmd.Flags().StringP("config", "c", config.DefaultPath, "configuration file")
	speed := cmd.Flags().String("speed", "max", "max, or a multiple of real time such as 1x")
	expect := cmd.Flags().String("expect", "",
		"file of the attacks that must be found; else exit 5")
	evidence := cmd.Flags().String("evidence", "", "folder for reports and evidence")
	cmd.RunE = func(cmd *cobra.Command, captures []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		pace, err := parseSpeed(*speed)
		if err != nil {
			return err
		}
		c, err := loadConfig(cmd, *path, config.LoadAll)
		if err != nil {
			return err
		}
		if *evidence != "" {
			c.Evidence.Dir = *evidence
		} else if c.Evidence.Dir == defaultEvidence() {
			c.Evidence.Dir = ""
		}
		want, err := loadExpectation(*expect)
		if err != nil {
			return err
		}
		return runReplay(cmd, c, captures, replayOptions{asJSON: asJSON, pace: pace, expect: want})
	}
	return cmd
}

// defaultEvidence is where evidence lies when a configuration does not say: not for replays.
func defaultEvidence() string {
	c := config.Default()
	return c.Evidence.Dir
}

// replayOptions are what the command line adds to the configuration.
type replayOptions struct {
	asJSON bool
	pace   float64   // seconds of capture per second; 0: as fast as it goes
	peer   *demoPeer // that is announced to; nil: every mitigation is a dry run
	expect *expectation
	more   []control.Events
}

func runReplay(cmd *cobra.Command, c *config.Config, captures []string, o replayOptions) error {
	source, err := replay.Open(captures, replay.Options{Sampling: c.Replay.SamplingRate})
	if err != nil {
		return err
	}
	defer source.Close()
	begin := time.Now()
	r, err := play(cmd, c, source, o)
	if err != nil {
		return err
	}
	defer r.Close()
	fmt.Fprintf(cmd.ErrOrStderr(), "replayed %d frames in %v; tables took %s\n",
		r.Pipeline.Received, time.Since(begin).Round(time.Millisecond), bytesText(r.Memory()))
	if _, totals := r.Script(); totals != nil {
		tellScript(cmd.ErrOrStderr(), totals)
	}
	return o.expect.check(cmd.ErrOrStderr())
}

// tellScript says that the filter's script has failed, if it has.
func tellScript(w io.Writer, t *filter.ScriptStats) {
	if t.Failed == 0 {
		return
	}
	fmt.Fprintf(w, "filter.lua: %d of %d calls failed, and their records count: %s\n", t.Failed,
		t.Calls, visible(t.Reason))
	if t.Disabled {
		fmt.Fprintf(w, "filter.lua: given up; %d more records count without being asked about\n",
			t.Bypassed)
	}
}

// play runs the engine on source to its end, printing what happens and keeping the evidence. The
// caller closes what it returns without an error.
func play(
	cmd *cobra.Command, c *config.Config, source *replay.Source, o replayOptions,
) (*control.Replay, error) {
	engine, err := daemon.EngineConfig(c, c.Replay.LengthFromIP, replaySeed)
	if err != nil {
		return nil, err
	}
	engine.Filter.Budget = 0 // what is kept must not depend on how fast this machine is
	if engine.Inputs, err = daemon.ReplayExports(c, source); err != nil {
		return nil, err
	}
	if o.peer != nil {
		o.peer.enforce(&engine)
	}
	out := newEventPrinter(cmd.OutOrStdout(), o.asJSON)
	keep := newKeeper(c)
	r, err := control.NewReplay(engine, source, append(eventSinks{out, keep, o.expect}, o.more...))
	if err != nil {
		return nil, err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	if o.pace > 0 {
		r.Pace = pacer(ctx, o.pace, out)
	}
	if o.peer != nil {
		pace := r.Pace
		r.Pace = func(now int64) { o.peer.look(now, out); pace(now) }
	}
	if err = r.Run(ctx); err == nil {
		r.Open(keep.save)
		out.summary(r)
	}
	if err = errors.Join(err, keep.err, out.Flush()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// parseSpeed reads "max" as 0 and "2x" as 2.
func parseSpeed(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(v > 0) || v > 1e6 || !strings.HasSuffix(text, "x") {
		return 0, usageError(`--speed is %q, not max or a multiple such as 1x`, text)
	}
	return v, nil
}

// pacer returns a function that waits until the captures' clock may reach now.
func pacer(ctx context.Context, speed float64, out *eventPrinter) func(now int64) {
	var first int64
	var begin time.Time
	return func(now int64) {
		if begin.IsZero() {
			first, begin = now, time.Now()
		}
		_ = out.Flush() // an error is kept, and play returns it
		due := begin.Add(time.Duration(float64(now-first) / speed))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
	}
}

// eventSinks tells several what happens, in order.
type eventSinks []control.Events

// Event implements control.Events.
func (s eventSinks) Event(e *ban.Event, evidence *capture.Evidence) {
	for _, sink := range s {
		sink.Event(e, evidence)
	}
}

// keeper writes the documents of incidents when they start and when they end.
type keeper struct {
	writer *report.Writer // nil: nothing is kept
	err    error          // the first
}

func newKeeper(c *config.Config) *keeper {
	if c.Evidence.Dir == "" {
		return &keeper{}
	}
	return &keeper{writer: &report.Writer{
		Dir:          c.Evidence.Dir,
		MaxIncidents: c.Evidence.MaxIncidents,
		MaxBytes:     int(c.Evidence.MaxBytes),
	}}
}

// Event implements control.Events.
func (k *keeper) Event(e *ban.Event, evidence *capture.Evidence) {
	if e.Kind != ban.Withdrawn {
		k.save(e.Incident, evidence)
	}
}

func (k *keeper) save(in *ban.Incident, evidence *capture.Evidence) {
	if k.writer == nil {
		return
	}
	if err := k.writer.Write(in, evidence.Snapshot()); err != nil && k.err == nil {
		k.err = err
	}
}
