package main

import (
	"path"
	"slices"
	"strings"
)

// rules is the table that every check reads. ARCHITECTURE.md says the same in prose: a change of
// the house changes both, in one commit.
//
// Packages are named by folder. A pattern is a folder; "a/*" is every child of a; "a/..." is a
// and everything below it; "..." is everything.
type rules struct {
	topLevel   []string // allowed in the module's folder, beside what .gitignore names
	dataPlane  []string // builds and tests alone
	control    []string
	vocabulary []string // roots that their children import, and that never import these
	assemblers []string // roots that import their children, and that these never import
	faces      []string // children that may import their assembler: its outer side
	adapters   []string // know neither each other, nor the assembler, nor the data plane
	workshop   []string // imported by its own folders, by workshopDoor and by tests only

	workshopDoor string

	rooms      []room
	fences     []fence
	code       limits
	tests      limits
	columns    int // a line's width, a tab counting tabWidth
	exceptions []exception
}

// room is a package, or several alike, and what it may import of this module besides the
// standard library and what the fences leave open. The first row that matches counts.
type room struct {
	dir  string
	uses []string
}

// fence keeps a dependency, with all below it, in the folders that need it.
type fence struct {
	path  string
	dirs  []string
	files []string // single files elsewhere
	tests bool     // tests may use it anywhere
}

// limits are sizes in lines.
type limits struct{ file, function int }

// exception lets one file or one function be larger than the limits, for a reason that the
// reviewer accepted. One that is no longer needed is a finding.
type exception struct {
	file     string
	function string // "Name" or "Type.Name"; empty: the file itself
	lines    int
	why      string
}

const tabWidth = 4

// house is the table of this module.
func house() rules {
	return rules{
		topLevel: []string{
			"fastpath", "ring", "decode", "counters", "control", "bench", "tools",
			"main.go", "go.mod", "go.sum", "Makefile", "README.md", "ARCHITECTURE.md",
			"CHANGELOG.md", "LICENSE", ".ci", ".golangci.yml", ".gitignore", "default.pgo",
		},
		dataPlane:    []string{"decode/...", "ring/...", "counters/...", "fastpath/..."},
		control:      []string{"control/..."},
		vocabulary:   []string{"decode", "ring", "counters"},
		assemblers:   []string{"fastpath", "control"},
		faces:        []string{"control/cli", "control/daemon"},
		adapters:     []string{"control/action/*", "control/sink/*", "control/bgp", "control/api"},
		workshop:     []string{"tools/...", "bench/..."},
		workshopDoor: "control/cli",
		rooms:        rooms(),
		fences:       fences(),
		code:         limits{file: 400, function: 60},
		tests:        limits{file: 600, function: 100},
		columns:      100,
	}
}

// changesTraffic is what an adapter that changes traffic may import.
var changesTraffic = []string{"control/ban", "control/governor", "control/flowspec"}

func rooms() []room { return slices.Concat(dataRooms(), controlRooms()) }

func dataRooms() []room {
	return []room{
		{".", []string{"control/cli"}},

		{"decode", nil},
		{"decode/pcap", nil},
		{"decode/netflow", []string{"decode"}},
		{"decode/netflow/netflowtest", nil},
		{"decode/sflow", []string{"decode"}},
		{"decode/sflow/sflowtest", nil},
		{"decode/payload", []string{"decode"}},
		{"ring", nil},
		{"ring/replay", []string{"ring", "decode", "decode/pcap", "decode/payload"}},
		{"ring/ringtest", []string{"ring", "ring/xsk", "decode/pcap"}},
		{"ring/nic", nil},
		{"ring/wait", nil},
		{"ring/afxdp", []string{"ring", "ring/xsk", "ring/nic", "ring/wait"}},
		{"ring/*", []string{"ring", "ring/nic", "ring/wait"}}, // one kernel interface each
		{"counters", nil},
		{"counters/prefix", nil},
		{"fastpath", []string{"ring", "decode/...", "counters/...", "fastpath/filter"}},
		{"fastpath/filter", []string{"decode"}},
	}
}

func controlRooms() []room {
	return []room{
		{"control/rate", []string{"counters/..."}},
		{"control/capture", []string{"decode/pcap", "ring"}},
		{"control/flowspec", []string{"decode"}},
		{"control/detect", []string{"control/rate", "control/flowspec"}},
		{"control/ban", []string{"control/rate", "control/detect", "control/flowspec"}},
		{"control/ban/journal", nil},
		{"control/announce", []string{
			"control/ban", "control/ban/journal", "control/governor",
		}},
		{"control/governor", []string{"control/ban", "control/flowspec"}},
		{"control/report", []string{
			"control/ban", "control/capture", "control/detect", "control/rate",
		}},
		{"control/bgp/...", append(
			[]string{"control/bgp/...", "control/brake"}, changesTraffic...,
		)},
		{"control/action/*", changesTraffic},
		{"control/sink/*", []string{"control/rate", "control/ban"}},
		{"control/brake", nil},
		{"control/health", nil},
		{"control/doctor", []string{"control/host", "ring/nic"}},
		{"control/doctor/facts", []string{
			"control/doctor", "control/host", "control/config",
			"ring/nic", "ring/afxdp", "ring/udp",
		}},
		{"control/host", nil},
		{"control/host/hosttest", nil},
		{"control/tune", []string{"control/host", "ring/nic", "ring/afxdp", "ring/udp"}},
		{"control/logs", nil},
		{"control/web", nil},
		{"control/api", []string{"control/web"}},
		{"control/api/apitest", []string{"control/api"}},
		{"control/top", []string{"control/api"}},
		{"control/config", []string{
			"decode/...", "ring/...", "counters/...", "fastpath/...",
			"control/rate", "control/capture", "control/flowspec", "control/detect",
			"control/ban", "control/governor", "control/report", "control/bgp/...",
			"control/action/*", "control/sink/*", "control/web", "control/api", "control/top",
		}},
		{"control", []string{
			"control/rate", "control/detect", "control/ban", "control/governor",
			"control/capture", "fastpath", "fastpath/filter",
			"decode", "counters", "ring", // vocabulary
			"decode/netflow", "ring/replay", // what exporters announced, and the lock-step source
		}},
		{"control/daemon", []string{
			"decode/...", "ring/...", "counters/...", "fastpath/...", "control/...",
		}},
		{"control/cli", []string{
			"decode/...", "ring/...", "counters/...", "fastpath/...", "control/...",
			"bench", "tools/blast", "tools/blast/wire",
		}},

		{"bench/...", []string{"..."}},
		{"tools/...", []string{"..."}},
	}
}

func fences() []fence {
	return []fence{
		{path: "github.com/osrg/gobgp", dirs: []string{"control/bgp/..."}},
		{path: "github.com/prometheus/client_golang", dirs: []string{"control/sink/prometheus"}},
		{
			path:  "os/exec",
			dirs:  []string{"control/action/script", "control/bgp/...", "tools/...", "bench/..."},
			tests: true,
		},
		{
			path:  "github.com/google/gopacket",
			dirs:  []string{"decode/pcap", "bench/...", "tools/..."},
			tests: true,
		},
		{
			path: "unsafe", dirs: []string{"ring/*"}, files: []string{"counters/memory.go"},
			tests: true,
		},
		{path: "github.com/asavie/xdp", dirs: []string{"bench/peers/..."}, tests: true},
		{
			path: "github.com/cilium/ebpf", dirs: []string{"ring/afxdp", "tools/...", "bench/..."},
			tests: true,
		},
		{
			path:  "github.com/vishvananda/netlink",
			dirs:  []string{"ring/nic", "tools/...", "bench/..."},
			tests: true,
		},
		{
			path:  "github.com/safchain/ethtool",
			dirs:  []string{"ring/nic", "tools/...", "bench/..."},
			tests: true,
		},
		{path: "github.com/yuin/gopher-lua", dirs: []string{"fastpath/filter"}},
		{path: "charm.land", dirs: []string{"control/top"}},
		{path: "github.com/charmbracelet", dirs: []string{"control/top"}},
		{path: "github.com/coreos/go-systemd", dirs: []string{"control/daemon"}},
	}
}

// match reports whether dir fits a pattern of the table.
func match(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == base || strings.HasPrefix(dir, base+"/")
	}
	ok, err := path.Match(pattern, dir)
	if err != nil {
		panic("BUG: pattern " + pattern + ": " + err.Error())
	}
	return ok
}

func matchAny(patterns []string, dir string) bool {
	for _, p := range patterns {
		if match(p, dir) {
			return true
		}
	}
	return false
}
