package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/control/host"
	"weir/control/host/hosttest"
)

// TestApply: what is applied is well then, and undone as before.
func TestApply_Success(t *testing.T) {
	root := hosttest.Unpack(t, "broken")
	f := machines(t)("broken")
	settings := Settings(Examine(f))
	if len(settings) < 10 {
		t.Fatal(settings)
	}
	for _, s := range settings { // the machine lacks some
		if _, err := os.Stat(root + s.Path); err != nil {
			hosttest.Put(t, root, s.Path, "0")
		}
	}
	script, err := Undo(root, settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := Apply(root, settings); err != nil {
		t.Fatal(err)
	}
	f.Host = host.Read(root)
	f.Plan.Ports[0].Granted = 32 << 20
	if again := Settings(Examine(f)); len(again) > 0 {
		t.Errorf("still to do: %v", again)
	}
	for line := range strings.Lines(script) {
		value, path, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "echo "), " > ")
		if ok {
			hosttest.Put(t, root, path, value)
		}
	}
	want := host.Read(hosttest.Unpack(t, "broken"))
	got := host.Read(root)
	same := func(a, b host.CPU) bool {
		return a.Governor == b.Governor && slices.Equal(a.Idle, b.Idle)
	}
	if got.Sysctl["net.core.rmem_max"] != "212992" || !slices.EqualFunc(got.CPUs, want.CPUs, same) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestApply_Failure(t *testing.T) {
	root := t.TempDir()
	missing := []Setting{{"/proc/sys/nosuch", "1"}}
	if _, err := Undo(root, missing); err == nil {
		t.Error("no error for what is not there")
	}
	if err := Apply(root, missing); err == nil {
		t.Error("no error for what is not there")
	}
	if _, err := os.Stat(filepath.Join(root, "proc")); err == nil {
		t.Error("made a file")
	}
	for _, content := range []string{"", "a b", "1; rm -r x", "$(x)", "1\n2"} {
		hosttest.Put(t, root, "proc/sys/odd", content)
		if script, err := Undo(root, []Setting{{"/proc/sys/odd", "1"}}); err == nil {
			t.Errorf("%q: %s", content, script)
		}
	}
}

func TestSettings(t *testing.T) {
	set := func(path, value string) Check { return Check{Settings: []Setting{{path, value}}} }
	got := Settings([]Check{set("/a", "9"), set("/b", "1"), set("/a", "10"), set("/a", "8"), {}})
	if !slices.Equal(got, []Setting{{"/a", "10"}, {"/b", "1"}}) {
		t.Error(got)
	}
}

func TestReasons(t *testing.T) {
	machine := machines(t)
	f := func(name string, change func(*Facts), want ...string) {
		t.Helper()
		facts := machine(name)
		change(facts)
		if got := Reasons(facts); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	none := func(*Facts) {}
	f("vm", none, ReasonIsolated, ReasonPages, ReasonSteal, ReasonLoad)
	f("broken", none, ReasonGovernor, ReasonIdle, ReasonIsolated, ReasonSiblings, ReasonPages,
		ReasonSteal, ReasonLoad)
	f("server", none)
	f("server", func(f *Facts) { f.Plan = Plan{} }, ReasonSiblings)
	f("server", func(f *Facts) {
		f.Spent.Each[19] = host.CPUTime{Total: 100, Idle: 80}
	}, ReasonSiblings)
	f("server", func(f *Facts) {
		f.Spent.Each[8] = host.CPUTime{Total: 100, Idle: 80}
	})
	f("server", func(f *Facts) { f.Spent = host.Times{} }, ReasonLoad) // by the last minute's
	f("server", func(f *Facts) { f.Host = host.Read(t.TempDir()); f.Plan = Plan{} })
}
