package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/counters"
	"weir/tools/blast"
)

func newBenchScale() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scale",
		Short: "workers side by side, the merge of their tables, and what would bind at 16 queues",
		Long: `Run 1 to --cores workers at the same time, each with rings and tables of its own, and
merge and look at the tables of 1 to --tables workers with 1,048,576 active hosts on each. The last
line fits Amdahl's law to the former and a straight line to the latter, and says what --queues
queues of 100 GbE would need by these figures, and which of it runs out first.`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	cores := cmd.Flags().Int("cores", runtime.NumCPU(), "most workers")
	tables := cmd.Flags().Int("tables", 4, "most tables that are merged")
	queues := cmd.Flags().Int("queues", 16, "queues to extrapolate to")
	packets := cmd.Flags().Int("packets", 10_000_000, "packets per worker and run")
	runs := cmd.Flags().Int("runs", 10, "runs, of which the median counts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		if err := checkNumbers(
			number{"cores", *cores, 1, mostCores}, number{"tables", *tables, 1, mostTables},
			number{"queues", *queues, 1, mostQueues}, number{"packets", *packets, 1, mostUnits},
			number{"runs", *runs, 1, mostRuns},
		); err != nil {
			return err
		}
		w, err := blast.Find("W3")
		if err != nil {
			return err
		}
		s := &scaler{out: cmd.OutOrStdout(), asJSON: asJSON, config: bench.ScaleConfig{
			Workload: w, Packets: *packets, Runs: *runs, Groups: 100, Degraded: benchDegraded(),
		}}
		return s.run(*cores, *tables, *queues)
	}
	return cmd
}

// scaler runs `weir bench scale`.
type scaler struct {
	out    io.Writer
	asJSON bool
	config bench.ScaleConfig
	scale  []bench.ScaleResult
	merges []bench.MergeResult
}

func (s *scaler) run(cores, tables, queues int) error {
	for n := 1; n <= cores; n++ {
		s.config.Workers = n
		r, err := bench.Scale(&s.config)
		if err != nil {
			return err
		}
		s.scale = append(s.scale, r)
		if err := s.print(&r, scaleRow(&r, n == 1), r.Degraded); err != nil {
			return err
		}
	}
	for n := 1; n <= tables; n++ {
		if err := s.merge(n, 1); err != nil {
			return err
		}
	}
	alone := s.merges
	for n := 2; n <= cores; n++ {
		if err := s.merge(tables, n); err != nil {
			return err
		}
	}
	memory, err := counters.MachineMemory()
	if err != nil {
		return err
	}
	f, err := bench.FitScale(s.scale, alone, queues, memory)
	if err != nil {
		return err
	}
	return s.print(&f, fitText(&f), nil)
}

// merge measures the merge of tables on so many cores.
func (s *scaler) merge(tables, cores int) error {
	r, err := bench.Merge(bench.MergeConfig{
		Workers: tables, Hosts: 1 << 20, Cores: cores, Runs: s.config.Runs,
		Degraded: s.config.Degraded,
	})
	if err != nil {
		return err
	}
	s.merges = append(s.merges, r)
	return s.print(&r, mergeRow(&r, len(s.merges) == 1), r.Degraded)
}

// print prints v, or its row and what degrades it.
func (s *scaler) print(v any, row string, degraded []string) error {
	if s.asJSON {
		return json.NewEncoder(s.out).Encode(v)
	}
	_, err := io.WriteString(s.out, row)
	for _, why := range degraded {
		_, err = fmt.Fprintf(s.out, "         degraded: %s\n", why)
	}
	return err
}

func scaleRow(r *bench.ScaleResult, first bool) (text string) {
	if first {
		h := r.Host
		text = fmt.Sprintf("%s, Linux %s, %s; %d runs of %d packets per worker\n\n"+
			"%-9s%-8s%11s%16s%8s%7s%8s\n", h.CPU, h.Kernel, h.Go, r.Runs, r.Packets,
			"WORKLOAD", "WORKERS", "CPU ns/pkt", "LOWEST–HIGHEST", "Mpps", "ALLOCS", "ns/MUL")
	}
	return text + fmt.Sprintf("%-9s%-8d%11.1f%9.1f–%6.1f%8.1f%7d%8.2f\n", r.Workload, r.Cores,
		r.NSPerPacket, r.Lowest, r.Highest, r.MPPS, r.Allocs, r.Calibration)
}

func mergeRow(r *bench.MergeResult, first bool) (text string) {
	if first {
		text = fmt.Sprintf("\n%-9s%-8s%-7s%9s%11s%9s%10s%10s%8s%8s\n", "HOSTS", "TABLES",
			"CORES", "MERGE ms", "SERIAL ms", "ns/SLOT", "JUDGE ms", "MEMORY", "ALLOCS", "ns/MUL")
	}
	return text + fmt.Sprintf("%-9d%-8d%-7d%9.1f%11.1f%9.1f%10.1f%10s%8d%8.2f\n", r.Hosts,
		r.Workers, r.Cores, r.Merge, r.Serial, r.Slot, r.Judge, bytesText(r.Tables), r.Allocs,
		r.Calibration)
}

func fitText(f *bench.Fit) string {
	return fmt.Sprintf(`
serial share of the workers   %.3f (Amdahl, %d points)
control takes each second     %.1f ms + %.1f ms per worker; %.1f %% of one worker's second
%d queues of 100 GbE          a worker %.0f %% of its core, control %.0f %% of one, tables %.0f %%
                              of this machine's memory: %s binds first
`, f.Serial, f.Points, f.Base, f.PerQueue, 100*f.Share, f.Queues, 100*f.Worker, 100*f.Control,
		100*f.Memory, f.Binds)
}
