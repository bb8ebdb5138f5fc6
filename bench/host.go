package bench

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// Host are the facts of the machine, and of this program's build, that a figure was measured with.
// What the machine does not tell is empty.
type Host struct {
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	Level     string `json:"arch_level,omitempty"` // GOAMD64, GOARM64
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	PGO       bool   `json:"pgo"` // built by a CPU profile
	Governor  string `json:"governor,omitempty"`
	HugePages bool   `json:"huge_pages"` // transparent ones may be had
	HugeMode  string `json:"huge_page_mode,omitempty"`
	NIC       string `json:"nic,omitempty"` // where one takes part
	Driver    string `json:"driver,omitempty"`
}

// ThisHost reads the facts of this machine; what it does not tell is empty.
func ThisHost() Host {
	h := Host{
		CPU: cpuModel(), Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernel:   firstLine("/proc/sys/kernel/osrelease"),
		Go:       runtime.Version(),
		Governor: firstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		HugeMode: chosen(firstLine("/sys/kernel/mm/transparent_hugepage/enabled")),
	}
	h.HugePages = h.HugeMode != "" && h.HugeMode != "never"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "GOAMD64", "GOARM64":
				h.Level = s.Value
			case "-pgo":
				h.PGO = s.Value != "" && s.Value != "off"
			}
		}
	}
	return h
}

// chosen returns the word in brackets of a list such as "always [madvise] never".
func chosen(list string) string {
	_, rest, _ := strings.Cut(list, "[")
	word, _, ok := strings.Cut(rest, "]")
	if !ok {
		return ""
	}
	return word
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok &&
			strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstLine(path string) string {
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
