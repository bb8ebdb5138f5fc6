package bench

import (
	"os"
	"runtime"
	"strings"
)

// Host are the facts of the machine that a figure was measured on.
type Host struct {
	CPU       string `json:"cpu"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	HugePages bool   `json:"huge_pages"`
}

// ThisHost reads the facts of this machine; what it does not tell is empty.
func ThisHost() Host {
	return Host{
		CPU:       cpuModel(),
		Kernel:    firstLine("/proc/sys/kernel/osrelease"),
		Go:        runtime.Version(),
		HugePages: !strings.Contains(firstLine(hugePagePath), "[never]") && exists(hugePagePath),
	}
}

const hugePagePath = "/sys/kernel/mm/transparent_hugepage/enabled"

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
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
