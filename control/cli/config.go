package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/control"
	"weir/control/config"
	"weir/control/daemon"
	"weir/fastpath"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "check, show or begin a configuration file",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheck(), newConfigShow(), newConfigInit())
	return cmd
}

// configFlag adds -c FILE and returns a function that gives the file's path. A command may take
// the file as an argument instead.
func configFlag(cmd *cobra.Command) func(args []string) (string, error) {
	path := cmd.Flags().StringP("config", "c", config.DefaultPath, "configuration file")
	return func(args []string) (string, error) {
		switch {
		case len(args) == 0:
			return *path, nil
		case cmd.Flags().Changed("config"):
			return "", usageError("two configuration files: %s and %s", *path, args[0])
		}
		return args[0], nil
	}
}

func newConfigCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "find everything wrong with a file: status 1 for errors, 3 for warnings alone",
		Args:  cobra.MaximumNArgs(1),
	}
	file, output := configFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := file(args)
		if err != nil {
			return err
		}
		asJSON, err := output()
		if err != nil {
			return err
		}
		c, findings, err := config.LoadAll(path)
		if err != nil && len(findings) == 0 {
			return err
		}
		summary, err := summarize(path, c, findings)
		if err != nil {
			findings = append(findings, config.Finding{
				Severity: config.Error, File: path, Line: 1, Col: 1,
				Path: "memory.tables", Message: err.Error(),
			})
			summary, _ = summarize(path, nil, findings)
		}
		if asJSON {
			err = printFindings(cmd.OutOrStdout(), findings, summary)
		} else {
			err = talkFindings(cmd, findings, summary)
		}
		if err != nil {
			return err
		}
		return checkStatus(summary)
	}
	return cmd
}

// checkStatus returns the exit status that the findings ask for; they have been printed.
func checkStatus(s configSummary) error {
	switch {
	case s.Errors > 0:
		return &exitError{status: exitFailed}
	case s.Warnings > 0:
		return &exitError{status: exitWarnings}
	}
	return nil
}

// configFinding is a line of `weir config check -o json`.
type configFinding struct {
	Type       string `json:"type"`
	Severity   string `json:"severity"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Col        int    `json:"col"`
	Path       string `json:"path,omitempty"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// configSummary is the last line of `weir config check`: what was found, and what the
// configuration means unless there are errors.
type configSummary struct {
	Type     string         `json:"type"`
	File     string         `json:"file"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
	Meaning  *configMeaning `json:"meaning,omitempty"`
}

type configMeaning struct {
	Mode       string       `json:"mode"`
	Networks   int          `json:"networks"`
	IPv4Hosts  uint64       `json:"ipv4_hosts"` // addresses in the networks, each once
	IPv6       int          `json:"ipv6_networks"`
	Hostgroups int          `json:"hostgroups"`
	Memory     configMemory `json:"memory"`
}

// configMemory is what the tables of all workers will take, in bytes, and how many hosts they
// count exactly: those of networks that are indexed by address, and at one time as many of the
// others as the directory holds.
type configMemory struct {
	Tables    uint64 `json:"tables"`
	Budget    uint64 `json:"budget"`
	Workers   int    `json:"workers"`
	Direct    uint64 `json:"hosts_by_address"`
	Directory uint64 `json:"hosts_by_directory"`
}

// summarize returns what was found in the file at path, and what c means unless it is nil. The
// error says that its tables do not fit in its budget.
func summarize(path string, c *config.Config, findings config.Findings) (configSummary, error) {
	s := configSummary{
		Type: "summary", File: path,
		Errors: findings.Count(config.Error), Warnings: findings.Count(config.Warning),
	}
	if c == nil {
		return s, nil
	}
	memory, err := planMemory(c)
	if err != nil {
		return s, err
	}
	s.Meaning = &configMeaning{
		Mode:       string(c.Mode),
		Networks:   len(c.Networks),
		Hostgroups: len(c.Hostgroups),
		Memory:     memory,
	}
	s.Meaning.IPv4Hosts, s.Meaning.IPv6 = c.Hosts()
	return s, nil
}

// planMemory returns what the engine will take that captures what c says: the mirrors as one view,
// and those of the flow exports. The error says that it does not fit in the budget.
func planMemory(c *config.Config) (configMemory, error) {
	counting := *c
	counting.Filter = config.Filter{} // takes no table
	engine, err := daemon.EngineConfig(&counting, false, replaySeed)
	if err != nil {
		return configMemory{}, err
	}
	for range c.Capture.Workers() {
		engine.Inputs = append(engine.Inputs, control.Input{View: "mirror"})
	}
	flows := c.Capture.FlowWorkers()
	for _, view := range slices.Sorted(maps.Keys(flows)) {
		for range flows[view] {
			engine.Inputs = append(engine.Inputs, control.Input{
				View: view, Exports: &fastpath.ExportRules{},
			})
		}
	}
	m := configMemory{Budget: engine.Memory}
	views, err := control.PlanMemory(&engine)
	for i, layout := range views {
		m.Tables += layout.Memory()
		m.Workers += layout.Workers
		if direct := layout.Hosts() - uint64(layout.Directory); i == 0 || direct < m.Direct {
			m.Direct, m.Directory = direct, uint64(layout.Directory) // of the view that has fewer
		}
	}
	return m, err
}

// String returns one line for people.
func (m *configMemory) String() string {
	text := fmt.Sprintf("tables: %s of a budget of %s; %d hosts by address",
		binaryText(m.Tables), binaryText(m.Budget), m.Direct)
	if m.Directory > 0 {
		text += fmt.Sprintf(", %d more by directory", m.Directory)
	}
	return text
}

// binaryText returns a number of bytes in units of 1024, e.g. "30.1 MiB".
func binaryText(n uint64) string {
	x, unit := float64(n), 0
	for ; x >= 1024 && unit < 4; unit++ {
		x /= 1024
	}
	text := strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	return text + [...]string{" B", " KiB", " MiB", " GiB", " TiB"}[unit]
}

func printFindings(out io.Writer, findings config.Findings, s configSummary) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, f := range findings {
		line := configFinding{
			"finding", f.Severity.String(), f.File, f.Line, f.Col, f.Path, f.Message, f.Suggestion,
		}
		if err := e.Encode(line); err != nil {
			return err
		}
	}
	return e.Encode(s)
}

func talkFindings(cmd *cobra.Command, findings config.Findings, s configSummary) error {
	if len(findings) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\n%s: %s, %s\n", findings, s.File,
			count(s.Errors, "error"), count(s.Warnings, "warning"))
	}
	if s.Meaning == nil {
		return nil
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", s.File, s.Meaning)
	return err
}

func (m *configMeaning) String() string {
	hosts := []string{}
	if m.IPv4Hosts > 0 {
		hosts = append(hosts, fmt.Sprintf("%d IPv4 hosts", m.IPv4Hosts))
	}
	if m.IPv6 > 0 {
		hosts = append(hosts, count(m.IPv6, "IPv6 network"))
	}
	return fmt.Sprintf("mode %s, %s (%s), %s\n%v", m.Mode, count(m.Networks, "network"),
		strings.Join(hosts, ", "), count(m.Hostgroups, "hostgroup"), &m.Memory)
}

// count returns n and the noun, in the plural unless n is 1.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func newConfigShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "print the configuration that a file and the defaults make",
		Args:  cobra.MaximumNArgs(1),
	}
	file, output := configFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := file(args)
		if err != nil {
			return err
		}
		asJSON, err := output()
		if err != nil {
			return err
		}
		c, err := loadConfig(cmd, path, config.Load)
		if err != nil {
			return err
		}
		if !asJSON {
			_, err = cmd.OutOrStdout().Write(c.YAML())
			return err
		}
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetEscapeHTML(false)
		return e.Encode(shownConfig{"config", path, c})
	}
	return cmd
}

// shownConfig is what `weir config show -o json` prints.
type shownConfig struct {
	Type   string         `json:"type"`
	File   string         `json:"file"`
	Config *config.Config `json:"config"`
}

// loadConfig returns the configuration at path, for commands that work by it, as load has it:
// config.Load or config.LoadAll. What is wrong with the file, or doubtful, is printed.
func loadConfig(
	cmd *cobra.Command, path string,
	load func(path string) (*config.Config, config.Findings, error),
) (*config.Config, error) {
	c, findings, err := load(path)
	if len(findings) == 0 {
		return c, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", findings)
	if err != nil {
		return nil, &exitError{status: exitFailed}
	}
	return c, nil
}

func newConfigInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "print a configuration file with every key, its meaning, unit and default",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), config.Reference())
			return err
		},
	}
}
