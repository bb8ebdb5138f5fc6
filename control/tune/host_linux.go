package tune

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"weir/control/host"
	"weir/ring/nic"
)

// Host is the Machine that the calling thread is on, with the interfaces of its network namespace.
type Host struct {
	nic  *nic.Handle
	root string // before the paths of files
}

// OpenHost opens the machine. Close it.
func OpenHost() (*Host, error) {
	h, err := nic.Open()
	if err != nil {
		return nil, err
	}
	return &Host{nic: h}, nil
}

// Close ends it.
func (h *Host) Close() error { return h.nic.Close() }

// Facts returns what a plan for these interfaces is made from, except Running. The error is of the
// first that is not there.
func (h *Host) Facts(names []string) (*Facts, error) {
	f := &Facts{Host: host.Here()}
	for _, name := range names {
		x, err := h.nic.Facts(name)
		if err != nil {
			return nil, err
		}
		f.Interfaces = append(f.Interfaces, x)
	}
	return f, nil
}

// Get reads a setting.
func (h *Host) Get(s Setting) (string, error) {
	if s.Kind == File {
		return h.readFile(s.Name)
	}
	x, err := h.nic.Facts(s.Interface)
	if err != nil {
		return "", err
	}
	missing := func(what string) error {
		if why := x.Missing[what]; why != "" {
			return fmt.Errorf("read %s: %s", s, why)
		}
		return nil
	}
	switch s.Kind {
	case Channels:
		return formatChannels(x.Channels), missing("channels")
	case Ring:
		return strconv.Itoa(x.Rings.RX), missing("rings")
	case Offload:
		return onOff(x.Offloads[s.Name].On), missing("offloads")
	case Pause:
		return formatPause(x.Pause), missing("pause")
	case Table:
		return formatTable(x.RSS.Table), missing("rss")
	case Key:
		return formatKey(x.RSS.Key), missing("rss")
	case HashOf:
		return string(x.Hash[nic.FlowType(s.Name)]), missing("hash " + s.Name)
	case Steer:
		return steered(x.Rules, s.Name), missing("rules")
	case Affinity:
		path, err := affinityOf(&x, s.Name)
		if err != nil {
			return "", err
		}
		text, err := h.read(path)
		return list(host.ParseCPUs(text)...), err
	}
	return "", fmt.Errorf("read %s: not known", s)
}

// steered returns the queue that a rule of that name sends to, empty where there is none.
func steered(rules []nic.Rule, name string) string {
	for _, r := range rules {
		if !r.Other && ruleName(r.Flow, r.Port) == name {
			return strconv.Itoa(r.Queue)
		}
	}
	return ""
}

// affinityOf returns the file that says where the interrupt of a queue may go.
func affinityOf(x *nic.Facts, queue string) (string, error) {
	i := slices.IndexFunc(x.IRQs, func(q nic.IRQ) bool { return strconv.Itoa(q.Queue) == queue })
	if i < 0 {
		return "", fmt.Errorf("find the interrupt of queue %s of %s: %s", queue, x.Name,
			x.Missing["irqs"])
	}
	return affinityPath(x.IRQs[i].Number), nil
}

// Set writes a setting.
func (h *Host) Set(s Setting, value string) error {
	switch s.Kind {
	case Channels:
		c, err := parseChannels(value)
		if err != nil {
			return err
		}
		return h.nic.SetChannels(s.Interface, c)
	case Ring:
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		return h.nic.SetRings(s.Interface, n, 0)
	case Offload:
		on, err := parseSwitch(value)
		if err != nil {
			return err
		}
		return h.nic.SetOffload(s.Interface, s.Name, on)
	case Pause:
		p, err := parsePause(value)
		if err != nil {
			return err
		}
		return h.nic.SetPause(s.Interface, p)
	case Table, Key:
		return h.setRSS(s, value)
	case HashOf:
		return h.nic.SetHash(s.Interface, nic.FlowType(s.Name), nic.Fields(value))
	case Steer:
		return h.setRule(s, value)
	case Affinity:
		x, err := h.nic.Facts(s.Interface)
		if err != nil {
			return err
		}
		path, err := affinityOf(&x, s.Name)
		if err != nil {
			return err
		}
		return h.write(path, value)
	case File:
		return h.writeFile(s.Name, value)
	}
	return fmt.Errorf("set %s: not known", s)
}

func (h *Host) setRSS(s Setting, value string) error {
	if s.Kind == Key {
		key, err := parseKey(value)
		if err != nil {
			return err
		}
		return h.nic.SetKey(s.Interface, key)
	}
	x, err := h.nic.Facts(s.Interface)
	if err != nil {
		return err
	}
	table, err := parseTable(value, len(x.RSS.Table))
	if err != nil {
		return err
	}
	return h.nic.SetTable(s.Interface, table)
}

func (h *Host) setRule(s Setting, value string) error {
	flow, port, err := parseRule(s.Name)
	if err != nil {
		return err
	}
	if value == "" {
		return h.nic.Unsteer(s.Interface, flow, port)
	}
	queue, err := strconv.Atoi(value)
	if err != nil {
		return err
	}
	return h.nic.Steer(s.Interface, flow, port, queue)
}

// ours reports whether a file is one that plans name. A journal must not make a privileged process
// write elsewhere.
func ours(path string) bool {
	for _, pattern := range []string{
		thpPath, rmemMax, sysctlDir + "vm/nr_hugepages",
		"/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages",
		"/sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/nr_hugepages",
		"/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
	} {
		if ok, err := filepath.Match(pattern, path); ok && err == nil {
			return filepath.Clean(path) == path
		}
	}
	return false
}

func (h *Host) readFile(path string) (string, error) {
	if !ours(path) {
		return "", fmt.Errorf("%s is no setting of a plan", path)
	}
	text, err := h.read(path)
	return chosen(text), err
}

func (h *Host) writeFile(path, value string) error {
	if !ours(path) {
		return fmt.Errorf("%s is no setting of a plan", path)
	}
	return h.write(path, value)
}

func (h *Host) read(path string) (string, error) {
	b, err := os.ReadFile(h.root + path)
	return strings.TrimSpace(string(b)), err
}

// write writes to a file that there is.
func (h *Host) write(path, value string) error {
	f, err := os.OpenFile(h.root+path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}
