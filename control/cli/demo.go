package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/config"
	"weir/control/logs"
	"weir/control/report"
	"weir/decode/pcap"
	"weir/ring/replay"
	"weir/tools/blast"
)

// demoConfig is the whole configuration of the demo.
const demoConfig = `version: 1
mode: enforce
networks: [198.51.100.0/24, "2001:db8:51::/48"]
allowlist: [198.51.100.250/32]
thresholds:
  incoming: {pps: 20k, bps: 1G, fps: 3500, syn_pps: 10k}
hostgroups:
  - {name: web, prefixes: [198.51.100.64/26], thresholds: {incoming: {pps: 50k}}}
capture:
  flows: [{listen: ":2055"}]
ban: {time: 8s, quiet: 4s}
memory: {tables: 128MiB}
`

// demoSpeed is how much faster than real time the demo runs for people who watch.
const demoSpeed = 5

func newDemo() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "find and prove three attacks in synthetic traffic: no root, no NIC, no network",
		Args:  cobra.NoArgs,
	}
	output := outputFlag(cmd)
	exit := cmd.Flags().Bool("exit", false, "end by itself")
	folder := cmd.Flags().String("evidence", "", "folder for reports and evidence, kept afterwards")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		return runDemo(cmd, asJSON, *exit, *folder)
	}
	return cmd
}

func runDemo(cmd *cobra.Command, asJSON, exit bool, folder string) error {
	c, findings := config.Parse("demo.yaml", []byte(demoConfig))
	if err := findings.Err(); err != nil {
		return fmt.Errorf("read the demo's own configuration: %w", err)
	}
	c.Evidence.Dir = folder
	if folder == "" {
		dir, err := os.MkdirTemp("", "weir-demo-")
		if err != nil {
			return fmt.Errorf("make a folder for evidence: %w", err)
		}
		c.Evidence.Dir = dir
	}
	capture, err := demoTraffic().Capture("demo")
	if err != nil {
		return err
	}
	exports, err := demoExports()
	if err != nil {
		return err
	}
	source := replay.New([]*pcap.Reader{capture, exports}, replay.Options{})
	defer source.Close()
	talk := cmd.ErrOrStderr()
	introduce(talk)
	log, _ := logs.New(talk, logs.Options{Level: slog.LevelError})
	peer, err := newDemoPeer(cmd.Context(), c, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(talk, "A BGP session to a router in this process is up: %s, AS %d.\n\n",
		peer.router.Address(), demoPeerAS)
	watcher := &demoWatcher{}
	r, err := play(cmd, c, source, replayOptions{
		asJSON: asJSON, pace: demoSpeed, peer: peer, more: []control.Events{watcher},
	})
	if err = errors.Join(err, peer.Close()); err != nil {
		return err
	}
	defer r.Close()
	if err := watcher.conclude(cmd.OutOrStdout(), talk, c.Evidence.Dir, asJSON); err != nil {
		return err
	}
	if !exit {
		fmt.Fprintln(talk, "\nThe demo is over; press Ctrl-C to leave (--exit leaves by itself).")
		wait := make(chan os.Signal, 1)
		signal.Notify(wait, os.Interrupt)
		<-wait
	}
	return nil
}

// demoTraffic is half a minute of a small network's mirror: everyday traffic, and two attacks.
func demoTraffic() *blast.Scenario {
	s := &blast.Scenario{Start: demoStart(), Seed: replaySeed, SnapLen: 128}
	home, _ := config.Parse("demo.yaml", []byte(demoConfig))
	for i, network := range home.Networks {
		s.Flows = append(s.Flows, blast.Background(network, 40, 1500-1000*i, 0, 24*time.Second)...)
	}
	s.Flows = append(s.Flows,
		blast.Flow{
			Name: "DNS amplification", Vector: "dns_amplification", PPS: 36_000, Jitter: true,
			From: 4300 * time.Millisecond, To: 11 * time.Second, Dst: blast.Host("198.51.100.7"),
		},
		blast.Flow{
			Name: "SYN flood", Vector: "syn_flood", PPS: 45_000, Jitter: true,
			From: 8700 * time.Millisecond, To: 13 * time.Second, Dst: blast.Host("2001:db8:51::80"),
		},
	)
	return s
}

func introduce(w io.Writer) {
	fmt.Fprint(w, `weir demo: a small network, five times as fast as in life. Three attacks are on
their way: the mirror sees those against 198.51.100.7 and 2001:db8:51::80; that against
198.51.100.33 comes in elsewhere, where a router exports NetFlow. The configuration:

`)
	for line := range strings.Lines(demoConfig) {
		fmt.Fprint(w, "    ", line)
	}
	fmt.Fprintln(w)
}

// demoWatcher remembers what the demo wants to show at its end.
type demoWatcher struct {
	incidents []string // in order of detection
}

// Event implements control.Events.
func (d *demoWatcher) Event(e *ban.Event, _ *capture.Evidence) {
	if e.Kind == ban.Started {
		d.incidents = append(d.incidents, e.Incident.ID)
	}
}

// conclude shows the first report, and where the proof lies.
func (d *demoWatcher) conclude(out, talk io.Writer, dir string, asJSON bool) error {
	if len(d.incidents) == 0 {
		return fmt.Errorf("the demo found no attack")
	}
	if !asJSON {
		text, err := os.ReadFile(filepath.Join(dir, d.incidents[0], report.TextFile))
		if err != nil {
			return fmt.Errorf("read the demo's report: %w", err)
		}
		fmt.Fprintf(out, "\nThe report of the first attack (its beginning):\n\n")
		for i, line := range strings.Split(string(text), "\n") {
			if i >= reportLines {
				break
			}
			fmt.Fprintf(out, "    %s\n", line)
		}
	}
	fmt.Fprintf(talk, "\nReports, JSON and packets (pcapng) of all attacks: %s\n", dir)
	return nil
}

// reportLines is how much of a report the demo shows: its facts, not its packets.
const reportLines = 18
