package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"weir/control/ban"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
)

// DefaultPath is where the configuration lies if nothing says otherwise.
const DefaultPath = "/etc/weir/weir.yaml"

// Version is the version of the file's format that this package reads.
const Version = 1

// Config is a whole configuration file. The sections' structs say what their values mean; their
// tags name the keys and hold them to their ranges:
//
//	yaml      the key; "omitempty" leaves it out of what YAML returns while it is zero
//	required  the key must be given where its mapping is, as in example
//	range     the least and the greatest value
//	enum      the words that a text can be
//	form      what a text or an address must be, see checkText and checkAddr
//	words     words that stand for values, e.g. "true=255,false=0"
//	unique    a list's values may not repeat
type Config struct {
	Version    int               `yaml:"version" required:"y" example:"1"`
	Mode       Mode              `yaml:"mode" enum:"observe,enforce"`
	Networks   []netip.Prefix    `yaml:"networks" required:"y" unique:"y" example:"[10.0.0.0/24]"`
	Allowlist  []netip.Prefix    `yaml:"allowlist" unique:"y"` // never mitigated, still counted
	Thresholds detect.Thresholds `yaml:"thresholds"`           // of hosts in no hostgroup
	Hostgroups []Hostgroup       `yaml:"hostgroups"`
	Capture    Capture           `yaml:"capture"`
	Replay     Replay            `yaml:"replay"`
	Decode     Decode            `yaml:"decode"`
	Filter     Filter            `yaml:"filter"`
	BGP        BGP               `yaml:"bgp"`
	Ban        Ban               `yaml:"ban"`
	Governor   Governor          `yaml:"governor"`
	Actions    Actions           `yaml:"actions"`
	Evidence   Evidence          `yaml:"evidence"`
	Memory     Memory            `yaml:"memory"`
	StateDir   string            `yaml:"state_dir" form:"path"` // journal, templates
	API        API               `yaml:"api"`
	Metrics    Metrics           `yaml:"metrics"`
}

// Mode says whether decisions change traffic.
type Mode string

// Observe decides and records; Enforce also announces.
const (
	Observe Mode = "observe"
	Enforce Mode = "enforce"
)

// Default returns what holds where a file says nothing. It has no networks: a file must name
// them.
func Default() Config {
	c := Config{
		Version: Version,
		Mode:    Observe,
		Replay:  Replay{SamplingRate: 1},
		Filter:  Filter{LuaBudget: 20},
		BGP: BGP{Blackhole: Blackhole{
			Communities: []ban.Community{ban.Blackhole, ban.NoExport},
			NextHop:     netip.MustParseAddr("192.0.2.1"),
			NextHop6:    netip.MustParseAddr("100::1"),
		}},
		Ban:      Ban{Time: 30 * time.Minute, Quiet: 10 * time.Second},
		Governor: Governor{MaxBlackholes: 64, MaxNewPerMinute: 20, MaxShare: 25},
		Evidence: Evidence{MaxIncidents: 1000, MaxPackets: 1000, MaxBytes: 2 << 20},
		StateDir: "/var/lib/weir",
		API:      API{Socket: "/run/weir/api.sock"},
		Metrics:  Metrics{Listen: "127.0.0.1:9108"},
	}
	for d := range c.Thresholds {
		l := &c.Thresholds[d]
		l.Value[rate.PPS], l.Set[rate.PPS] = 20_000, true
		l.Value[rate.BPS], l.Set[rate.BPS] = 1_000_000_000, true
		l.Value[rate.FPS], l.Set[rate.FPS] = 3500, true
	}
	for t := range c.Decode.Tunnels {
		c.Decode.Tunnels[t] = true
	}
	c.resolve()
	return c
}

// resolve fills in the defaults that depend on other values.
func (c *Config) resolve() {
	if c.Evidence.Dir == "" {
		c.Evidence.Dir = filepath.Join(c.StateDir, "evidence")
	}
}

// Load reads and checks the file at path, for this machine. The error says why the file cannot be
// read, or is its Findings if there are errors among them; the configuration is then nil. The
// findings are returned in any case: without an error they are warnings.
func Load(path string) (*Config, Findings, error) { return load(path, false) }

// LoadAll is Load for those who count by the configuration: it also reads the files of the filter,
// whose errors are findings too.
func LoadAll(path string) (*Config, Findings, error) { return load(path, true) }

func load(path string, all bool) (*Config, Findings, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	machine, err := counters.MachineMemory()
	if err != nil {
		machine = math.MaxUint64 // not known: nothing to hold the file to
	}
	c, findings := parse(path, data, surroundings{memory: machine, files: all})
	return c, findings, findings.Err()
}

// Parse reads and checks a file's content, for any machine; name is what findings call the file.
// The configuration is nil if there are errors among the findings.
func Parse(name string, data []byte) (*Config, Findings) {
	return parse(name, data, surroundings{memory: math.MaxUint64})
}

// surroundings are what a configuration is held against beside itself.
type surroundings struct {
	memory uint64 // bytes that the machine has
	files  bool   // those that it names are here, and are read
}

func parse(name string, data []byte, here surroundings) (*Config, Findings) {
	r := &report{file: name}
	if !r.split(data) {
		return nil, r.sorted()
	}
	root := readTree(r)
	if root == nil {
		return nil, r.sorted()
	}
	c := Default()
	c.Evidence.Dir = ""
	f := &filler{r: r, nodes: map[string]*node{}, bad: map[string]bool{}}
	f.config(root, &c)
	c.resolve()
	(&checker{c: &c, f: f, here: here}).all()
	findings := r.sorted()
	if findings.Err() != nil {
		return nil, findings
	}
	return &c, findings
}
