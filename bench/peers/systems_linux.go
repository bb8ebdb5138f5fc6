package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/tools/blast"
)

// system is a collector to be measured.
type system struct {
	name string
	// program is the one to run for a workload.
	program func(o *options, w *blast.ExportWorkload) string
	asks    string // the argument that makes it tell its version
	brings  string // the package that brings it
	// prepare writes its configuration to dir and returns its command line.
	prepare func(o *options, w *blast.ExportWorkload, dir string) ([]string, error)
	// delivered returns how many of the records sent it has counted.
	delivered func(p *process, datagrams, records int) (float64, error)
}

func (s *system) port(w *blast.ExportWorkload) int { return int(w.Collector().Port()) }

func names() (list []string) {
	for _, s := range systems() {
		list = append(list, s.name)
	}
	return list
}

func systems() []system {
	same := func(program string) func(*options, *blast.ExportWorkload) string {
		return func(*options, *blast.ExportWorkload) string { return program }
	}
	pair := func(netflow, sflow string) func(*options, *blast.ExportWorkload) string {
		return func(_ *options, w *blast.ExportWorkload) string {
			if w.SFlow {
				return sflow
			}
			return netflow
		}
	}
	return []system{
		{"weir", func(o *options, _ *blast.ExportWorkload) string { return o.weir }, "version",
			"make build", prepareWeir, deliveredWeir},
		{"fastnetmon", same("fastnetmon"), "--version", "package fastnetmon", prepareFastNetMon,
			func(p *process, _, _ int) (float64, error) {
				return p.metric("http://127.0.0.1:9209/metrics",
					"fastnetmon_total_simple_packets_processed")
			}},
		{"nfcapd", pair("nfcapd", "sfcapd"), "-V", "packages nfdump and nfdump-sflow",
			prepareNfcapd, deliveredNfcapd},
		{"pmacct", pair("nfacctd", "sfacctd"), "-V", "package pmacct", preparePmacct,
			deliveredPmacct},
		{"goflow2", func(o *options, _ *blast.ExportWorkload) string { return o.goflow2 }, "-v",
			"go install github.com/netsampler/goflow2/v2/cmd/goflow2@v2.2.6", prepareGoflow2,
			deliveredGoflow2},
	}
}

// missing says what to do where the system cannot run; "" where it can.
func (s *system) missing(o *options) string {
	for _, w := range blast.ExportWorkloads() {
		if program := s.program(o, &w); !installed(program) {
			return fmt.Sprintf("there is no %s: %s brings it", program, s.brings)
		}
	}
	return ""
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// version is the first line of what the system says when asked, which some do on stderr.
func (s *system) version(o *options) string {
	w, err := blast.FindExports("F1")
	if err != nil {
		return ""
	}
	text, _ := exec.Command(s.program(o, &w), s.asks).CombinedOutput() // some exit 1
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// home is where all hosts of the workloads are.
const home = "10.9.0.0/16"

func prepareWeir(o *options, w *blast.ExportWorkload, dir string) ([]string, error) {
	text := fmt.Sprintf(`version: 1
mode: observe
networks: [%s]
state_dir: %s
capture: {flows: [{listen: "127.0.0.1:%d"}]}
api: {socket: %s}
metrics: {listen: "127.0.0.1:9108"}
memory: {tables: 512MiB}
`, home, filepath.Join(dir, "state"), w.Collector().Port(), filepath.Join(dir, "api.sock"))
	path := filepath.Join(dir, "weir.yaml")
	binary, err := filepath.Abs(o.weir)
	if err != nil {
		return nil, err
	}
	return []string{binary, "run", "-c", path}, os.WriteFile(path, []byte(text), 0o644)
}

// deliveredWeir goes by the datagrams that the worker received.
func deliveredWeir(p *process, datagrams, records int) (float64, error) {
	n, err := p.metric("http://127.0.0.1:9108/metrics", "weir_core_packets_total")
	return n / float64(datagrams) * float64(records), err
}

func prepareFastNetMon(_ *options, _ *blast.ExportWorkload, dir string) ([]string, error) {
	return configureFastNetMon(dir, home, []string{
		"netflow = on", "netflow_port = 2055", "netflow_host = 127.0.0.1",
		"netflow_sampling_ratio = 1", "sflow = on", "sflow_port = 6343", "sflow_host = 127.0.0.1",
		"interfaces = lo", "enable_connection_tracking = on",
	})
}

// configureFastNetMon writes FastNetMon's files to dir and returns its command line. Its one limit
// is out of reach.
func configureFastNetMon(dir, home string, more []string) ([]string, error) {
	networks := filepath.Join(dir, "networks")
	if err := os.WriteFile(networks, []byte(home+"\n"), 0o644); err != nil {
		return nil, err
	}
	nobody := filepath.Join(dir, "whitelist")
	if err := os.WriteFile(nobody, nil, 0o644); err != nil {
		return nil, err
	}
	lines := append([]string{
		"logging_level = info", "disable_usage_report = on", "enable_ban = on",
		"networks_list_path = " + networks, "white_list_path = " + nobody,
		"ban_for_pps = on", "threshold_pps = 1000000000", "ban_for_bandwidth = off",
		"ban_for_flows = off", "enable_api = off", "prometheus = on", "prometheus_port = 9209",
		"prometheus_host = 127.0.0.1", "average_calculation_time = 5",
		"process_incoming_traffic = on", "process_outgoing_traffic = on",
		"check_period = 1", "speed_calculation_delay = 1",
		"cli_stats_file_path = " + filepath.Join(dir, "stats"),
		"cli_stats_ipv6_file_path = " + filepath.Join(dir, "stats6"),
	}, more...)
	path := filepath.Join(dir, "fastnetmon.conf")
	return []string{
		"fastnetmon", "--configuration_file", path, "--log_to_console", "--disable_pid_logic",
	}, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func prepareNfcapd(_ *options, w *blast.ExportWorkload, dir string) ([]string, error) {
	program := "nfcapd"
	if w.SFlow {
		program = "sfcapd"
	}
	flows := filepath.Join(dir, "flows")
	return []string{
		program, "-w", flows, "-b", "127.0.0.1", "-p", strconv.Itoa(int(w.Collector().Port())),
		"-t", "3600", "-B", strconv.Itoa(receiveBuffer),
	}, os.MkdirAll(flows, 0o755)
}

// deliveredNfcapd ends the collector, which closes its file only then, and asks nfdump.
func deliveredNfcapd(p *process, _, _ int) (float64, error) {
	p.stop()
	flows := filepath.Join(p.dir, "flows")
	text, err := exec.Command("nfdump", "-R", flows, "-I").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("nfdump -I: %w: %s", err, text)
	}
	defer func() { _ = os.RemoveAll(flows) }() // hundreds of megabytes
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "Flows: "); ok {
			return strconv.ParseFloat(strings.TrimSpace(n), 64)
		}
	}
	return 0, fmt.Errorf("nfdump -I tells no flows: %s", text)
}

func preparePmacct(_ *options, w *blast.ExportWorkload, dir string) ([]string, error) {
	program, name := "nfacctd", "nfacctd"
	if w.SFlow {
		program, name = "sfacctd", "sfacctd"
	}
	text := fmt.Sprintf(`daemonize: false
%[1]s_ip: 127.0.0.1
%[1]s_port: %[2]d
%[1]s_pipe_size: %[3]d
plugins: memory
aggregate: dst_host, flows
imt_path: %[4]s
imt_buckets: 131071
imt_mem_pools_number: 16
imt_mem_pools_size: 16777216
plugin_pipe_size: %[5]d
plugin_buffer_size: 65536
`, name, w.Collector().Port(), receiveBuffer, filepath.Join(dir, "pipe"), 16<<20)
	path := filepath.Join(dir, "pmacct.conf")
	return []string{program, "-f", path}, os.WriteFile(path, []byte(text), 0o644)
}

// deliveredPmacct sums the flows of all hosts.
func deliveredPmacct(p *process, _, _ int) (float64, error) {
	time.Sleep(time.Second)
	text, err := exec.Command("pmacct", "-s", "-p", filepath.Join(p.dir, "pipe"), "-O",
		"csv").Output()
	if err != nil {
		return 0, fmt.Errorf("pmacct -s: %w", err)
	}
	column, sum := -1, 0.0
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if column < 0 {
			for i, title := range f {
				if title == "FLOWS" {
					column = i
				}
			}
			continue
		}
		if column < len(f) {
			n, _ := strconv.ParseFloat(f[column], 64)
			sum += n
		}
	}
	return sum, nil
}

func prepareGoflow2(o *options, _ *blast.ExportWorkload, _ string) ([]string, error) {
	return []string{
		o.goflow2, "-listen", "netflow://127.0.0.1:2055,sflow://127.0.0.1:6343", "-format", "bin",
		"-transport", "file", "-transport.file", "/dev/null", "-addr", "127.0.0.1:8089",
	}, nil
}

// deliveredGoflow2 goes by the datagrams that were decoded.
func deliveredGoflow2(p *process, datagrams, records int) (float64, error) {
	const url = "http://127.0.0.1:8089/metrics"
	n, err := p.metric(url, "goflow2_flow_process_nf_total")
	if err != nil {
		n, err = p.metric(url, "goflow2_flow_process_sf_total")
	}
	return n / float64(datagrams) * float64(records), err
}
