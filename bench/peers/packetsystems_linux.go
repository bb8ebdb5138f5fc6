package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"weir/bench"
	"weir/tools/blast"
	"weir/tools/lab"
)

// packetSystem receives packets from an interface.
type packetSystem struct {
	name    string
	xdp     bool   // attaches an XDP program: else the veth has to be made polled
	program string // to be run, and asked for its version
	asks    string
	brings  string // what brings it
	// prepare writes its configuration to dir and returns its command line.
	prepare   func(s *packetSystem, w *blast.Workload, dir string) ([]string, error)
	delivered func(p *process) (float64, error)
}

const (
	scrapeWeir       = "http://127.0.0.1:9108/metrics"
	scrapeFastNetMon = "http://127.0.0.1:9209/metrics"
)

// packetSystems are those that detect, which all receive through AF_PACKET, and loops that count
// what an AF_XDP ring has.
func packetSystems(weir, self string) []packetSystem {
	fastNetMon := func(name string, tracking bool) packetSystem {
		return packetSystem{
			name, false, "fastnetmon", "--version", "package fastnetmon",
			func(_ *packetSystem, w *blast.Workload, dir string) ([]string, error) {
				return mirrorFastNetMon(w, dir, tracking)
			},
			func(p *process) (float64, error) {
				return p.metric(scrapeFastNetMon, "fastnetmon_total_simple_packets_processed")
			},
		}
	}
	loop := func(name string) packetSystem {
		return packetSystem{
			name, true, self, "", "this program",
			func(s *packetSystem, _ *blast.Workload, _ string) ([]string, error) {
				return []string{s.program, "ring", s.name, lab.Sut.Interface(0)}, nil
			}, deliveredRing,
		}
	}
	return []packetSystem{
		{
			"weir", false, weir, "version", "make build", mirrorWeir,
			func(p *process) (float64, error) {
				return p.metric(scrapeWeir, "weir_processed_packets_total")
			},
		},
		fastNetMon("fastnetmon", false), fastNetMon("fastnetmon-tracking", true),
		loop(loopWeir), loop(loopAsavie), loop(loopAsavieLarge),
	}
}

// mirrorWeir configures weir. The limits are out of reach, and so every host's flows are counted.
func mirrorWeir(s *packetSystem, w *blast.Workload, dir string) ([]string, error) {
	text := fmt.Sprintf(`version: 1
mode: observe
networks: ["%s"]
thresholds:
  incoming: {pps: 1G, fps: 1G}
state_dir: %s
capture: {afpacket: [{interface: %s, cores: [1]}]}
api: {socket: %s}
metrics: {listen: "127.0.0.1:9108"}
memory: {tables: 512MiB}
`, bench.HomeOf(w), filepath.Join(dir, "state"), lab.Sut.Interface(0), filepath.Join(dir, "api.sock"))
	path := filepath.Join(dir, "weir.yaml")
	return []string{s.program, "run", "-c", path}, os.WriteFile(path, []byte(text), 0o644)
}

func mirrorFastNetMon(w *blast.Workload, dir string, tracking bool) ([]string, error) {
	onOff := map[bool]string{true: "on", false: "off"}
	lines := []string{
		"mirror_afpacket = on", "interfaces = " + lab.Sut.Interface(0),
		"monitor_local_ip_addresses = off", "netflow = off", "sflow = off",
		"enable_connection_tracking = " + onOff[tracking],
		"pid_path = " + filepath.Join(dir, "pid"),
	}
	return configureFastNetMon(dir, bench.HomeOf(w).String(), lines)
}

// missing says what to do where the system cannot run; "" where it can.
func (s *packetSystem) missing() string {
	if _, err := exec.LookPath(s.program); err != nil {
		return fmt.Sprintf("there is no %s: %s brings it", s.program, s.brings)
	}
	return ""
}

// version is the first line of what the system says when asked.
func (s *packetSystem) version() string {
	switch {
	case s.name == loopAsavie || s.name == loopAsavieLarge:
		return "github.com/asavie/xdp v0.3.3"
	case s.asks == "":
		return ""
	}
	text, _ := exec.Command(s.program, s.asks).CombinedOutput() // some exit 1
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// xdpBench says why xdp-tools' bench is not among the systems.
func xdpBench() string {
	text, err := exec.Command("xdp-bench", "help").CombinedOutput()
	if len(text) == 0 && err != nil {
		return "there is no xdp-bench: package xdp-tools brings it"
	}
	if !strings.Contains(string(text), "xsk-drop") {
		return "this xdp-bench has no xsk-drop, which receives through AF_XDP: it came after " +
			"xdp-tools 1.3.1"
	}
	return "its xsk-drop is not run here yet"
}
