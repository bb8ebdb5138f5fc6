package tune

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/ring/nic"
)

var update = flag.Bool("update", false, "write the golden files")

func plan(t *testing.T, f *Facts, w *Wish) *Plan {
	t.Helper()
	p, err := Make(f, w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// describe writes all of a plan that an operator acts on.
func describe(p *Plan) string {
	var b strings.Builder
	for _, l := range p.Layout {
		fmt.Fprintf(&b, "%s: queues %v on %v, interrupts on %v, flow queues %v on %v, node %d\n",
			l.Interface, l.Queues, l.Cores, l.IRQ, l.FlowQueues, l.FlowCores, l.Node)
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		fmt.Fprintf(&b, "%s\n    %s\n    undo: %s\n", s.What, s.Command, s.Undo)
	}
	for _, a := range p.Advice {
		fmt.Fprintf(&b, "advice: %s\n", a.What)
		if a.Command != "" {
			fmt.Fprintf(&b, "    %s\n", a.Command)
		}
	}
	return b.String() + p.Stanza
}

func TestMake_Golden(t *testing.T) {
	for name, of := range machines() {
		f, w := of()
		got := describe(plan(t, f, w))
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s: %v\n%s", path, err, got)
		}
	}
}

// TestMake_Layout holds plans to what any plan must keep.
func TestMake_Layout(t *testing.T) {
	for name, of := range machines() {
		f, w := of()
		p := plan(t, f, w)
		seen := map[int]bool{}
		for _, l := range p.Layout {
			work := slices.Clone(l.Cores)
			if !slices.Equal(l.IRQ, l.Cores) {
				work = append(work, l.IRQ...)
			}
			for _, c := range slices.Concat(work, l.FlowCores) {
				for _, s := range withSiblings(f.Host, []int{c}) {
					if seen[s] {
						t.Errorf("%s: CPU %d has two masters", name, s)
					}
					seen[s] = true
				}
				if cpu := f.Host.CPU(c); l.Node >= 0 && cpu.Node != l.Node && !l.Remote {
					t.Errorf("%s: CPU %d is not on node %d", name, c, l.Node)
				}
			}
		}
		if seen[0] || len(f.Host.CPUs)-len(seen) < housekeeping {
			t.Errorf("%s: %d of %d CPUs taken", name, len(seen), len(f.Host.CPUs))
		}
	}
}

func TestMake_Failure(t *testing.T) {
	f, _ := virtio()
	if p, err := Make(f, &Wish{}); !errors.Is(err, ErrDefaultRoute) {
		t.Error(p, err)
	}
	if p, err := Make(f, &Wish{Force: true, Queues: 2}); err == nil {
		t.Error("two of one queue:", p)
	}
}

func TestMake_Wishes(t *testing.T) {
	f, w := mlx5()
	w.Queues = 4
	p := plan(t, f, w)
	if l := p.Layout[0]; !slices.Equal(l.Cores, []int{24, 25, 26, 27}) ||
		!slices.Equal(l.IRQ, []int{28, 29, 30, 31}) {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(p.Stanza, "queues: [0, 1, 2, 3]") {
		t.Error(p.Stanza)
	}
	w.Queues = 30 // more than the node has
	if l := plan(t, f, w).Layout[0]; len(l.Cores) != 30 || !l.Remote {
		t.Errorf("%+v", l)
	}
	w.Queues, w.Hash = 0, KeepHash
	for _, s := range plan(t, f, w).Steps {
		if s.Kind == Key || s.Kind == HashOf {
			t.Errorf("%+v", s)
		}
	}
	w.Hash = Symmetric
	f.Interfaces[0].Hash[nic.UDP4] = nic.Hosts
	found := false
	for _, s := range plan(t, f, w).Steps {
		found = found || s.Kind == HashOf && s.Name == "udp4" && s.Want == "sdfn"
	}
	if !found {
		t.Error("symmetric: udp4 stays without ports")
	}
	f.Interfaces[0].RSS.Function = "xor"
	for _, s := range plan(t, f, w).Steps {
		if s.Kind == Key {
			t.Errorf("a key for xor: %+v", s)
		}
	}
}

// TestMake_Isolated: cores that the command line isolates as advised are those of the next plan.
func TestMake_Isolated(t *testing.T) {
	for name, of := range machines() {
		f, w := of()
		before := plan(t, f, w)
		flows := []int{}
		for _, l := range before.Layout {
			flows = append(flows, l.FlowCores...)
		}
		f.Host.Isolated = withSiblings(f.Host, before.all(flows))
		f.Host.NoHzFull, f.Host.Programs = f.Host.Isolated, nil
		after := plan(t, f, w)
		if before.Stanza != after.Stanza || len(before.Steps) != len(after.Steps) {
			t.Errorf("%s:\n%s\nisolated:\n%s", name, describe(before), describe(after))
		}
		for _, a := range after.Advice {
			if strings.Contains(a.Command, "isolcpus") {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

func TestQueuesFor(t *testing.T) {
	for speed, want := range map[int]int{
		0: 0, 1000: 1, 10_000: 2, 25_000: 5, 40_000: 8, 100_000: 16, 400_000: 16,
	} {
		if got := queuesFor(speed); got != want {
			t.Errorf("%d Mbit/s: %d, want %d", speed, got, want)
		}
	}
}

func TestHugePages_Running(t *testing.T) {
	f, w := ixgbe()
	f.Host.Nodes[0].Pools[0].Total, f.Host.Nodes[0].Pools[0].Free = 16, 0
	steps := func() (want string) {
		for _, s := range plan(t, f, w).Steps {
			if s.Kind == File {
				want += s.Want
			}
		}
		return want
	}
	if got := steps(); got != "32" { // all are somebody's
		t.Error(got)
	}
	f.Running = true // they are weir's
	if got := steps(); got != "" {
		t.Error(got)
	}
}
