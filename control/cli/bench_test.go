package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/bench"
)

func TestBenchPipeline(t *testing.T) {
	const small = "bench pipeline --workload W1 --stage ring --packets 50000 --runs 3 "
	status, out, _ := run(small + "-o json")
	var r bench.PipelineResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitOK {
		t.Fatalf("exit %d, %q: %v", status, out, err)
	}
	if r.Type != "bench" || r.Bench != "pipeline" || r.Workload != "W1" || r.Stage != "ring" ||
		r.Cores != 1 || len(r.RunsNS) != 3 || r.Allocs != 0 || r.NSPerPacket <= 0 ||
		r.Calibration <= 0 || r.Host.Go == "" || r.FlipFigures != nil || r.Counted != nil {
		t.Errorf("%+v", r)
	}
	if status, out, _ := run(small + "-o go"); status != exitOK ||
		strings.Count(out, "\nBenchmarkPipeline/W1/stage=ring-1\t50000\t") != 3 {
		t.Errorf("exit %d, %q", status, out)
	}
	for _, args := range []string{
		"--workload W99", "--stage print", "--runs 0", "--hostgroups 257", "-o xml",
	} {
		if status, _, _ := run("bench pipeline " + args); status != exitUsage {
			t.Errorf("%q: exit %d", args, status)
		}
	}
}

// A run too short for a second of the stream tells of no flip and no hosts, as JSON and as a table.
func TestBenchPipelineShort(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("the tables take more than 32 bits can address")
	}
	const short = "bench pipeline --workload W1 --packets 10 --runs 2 "
	status, out, _ := run(short + "-o json")
	var keys map[string]any
	if err := json.Unmarshal([]byte(out), &keys); err != nil || status != exitOK {
		t.Fatalf("exit %d, %q: %v", status, out, err)
	}
	for _, key := range []string{"hosts", "after_flip", "after_flip_worst"} {
		if v, is := keys[key]; is {
			t.Errorf("%s is %v", key, v)
		}
	}
	if n, is := keys["samples"].(float64); !is || n > 20 || keys["flips"] != 0.0 {
		t.Errorf("of 20 packets %v samples, %v flips", keys["samples"], keys["flips"])
	}
	status, out, _ = run(short)
	if status != exitOK || strings.Contains(out, "0.00–0.00×") || strings.Count(out, " – ") < 2 {
		t.Errorf("exit %d, %q", status, out)
	}
}

func TestBenchCompare(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const line = `{"type":"bench","bench":"pipeline","workload":"W1","runs_ns":`
	old := file("old.json", line+"[30,30.1,30.2,29.9,30]}\n"+
		strings.Replace(line, "W1", "W2", 1)+"[1,2]}\n")
	slow, fast := file("slow.json", line+"[33,33.1,33.2,32.9]}\n"),
		file("fast.json", line+"[20,20.1,20.2,20.3]}\n")
	torn := file("torn.json", line+"[33,33")
	f := func(args string, want int, talk string) string {
		t.Helper()
		status, out, errOut := run("bench compare " + args)
		if status != want || !strings.Contains(errOut, talk) {
			t.Errorf("%q: exit %d, %q, %q; want exit %d, %q", args, status, out, errOut, want, talk)
		}
		return out
	}
	f(old+" "+slow, exitUnmet, "pipeline W2 is missing in new\nweir: 1 of 2 workloads are slower")
	f(old+" "+fast, exitOK, "missing in new")
	f(old+" "+slow+" --effect 20", exitOK, "")
	f(old+" "+torn, exitFailed, "torn.json:1: not a result")
	f(old+" "+filepath.Join(dir, "none"), exitFailed, "none")
	const one = `{"type":"bench","bench":"pipeline","workload":"W2","cores":1,"packets":30000000,` +
		`"seconds":1.1,"cpu_ns_per_packet":36.1,"mpps":27.7,"allocs":0,"flow_tracking":true,` +
		`"host":{"cpu":"…","kernel":"…","go":"go1.26.8","huge_pages":true},"degraded":[]}` + "\n"
	single := file("one.json", one)
	twice := file("twice.json", strings.Replace(one, "36.1", "72.2", 1))
	f(single+" "+single, exitOK, "")
	text := f(single+" "+twice, exitUnmet, "1 of 1 workloads")
	if !strings.Contains(text, "single run") {
		t.Errorf("%q", text)
	}
	peers, err := filepath.Glob("../../bench/results/*.json")
	if err != nil || len(peers) == 0 {
		t.Errorf("%d files of results: %v", len(peers), err)
	}
	for _, name := range peers {
		f(name+" "+name, exitOK, "")
	}
	f(old+" "+slow+" --alpha 0", exitUsage, "--alpha")
	f(old, exitUsage, "")
	var r bench.Comparison
	out := f("-o json "+slow+" "+fast, exitOK, "")
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Outcome != bench.Gain ||
		r.Old != 33.05 || r.New != 20.15 || r.OldRuns != 4 || r.P > 0.05 {
		t.Errorf("%q: %+v, %v", out, r, err)
	}
}

func TestBenchDetect(t *testing.T) {
	status, out, _ := run("bench detect -o json --phases 2 --factor 10 --family ipv6 " +
		"--limit 2000 --background 2000")
	var r bench.DetectResult
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitOK {
		t.Fatalf("exit %d, %q: %v", status, out, err)
	}
	if r.Workload != "D1/udp_flood/ipv6/10x" || len(r.Delays) != 2 || r.Median <= 0 ||
		r.AttackPPS != 20_000 || r.Host.Go == "" {
		t.Errorf("%+v", r)
	}
	if status, _, talk := run("bench detect --phases 1 --factor 0.5 --family ipv4 --limit 2000 " +
		"--background 2000"); status != exitUnmet || !strings.Contains(talk, "1 of the floods") {
		t.Errorf("a flood below the limit: exit %d, %q", status, talk)
	}
	for _, args := range []string{
		"detect --phases 0", "detect --factor -1", "detect --vector none", "detect --family ipx",
		"scale --cores 0", "scale --runs 0",
	} {
		if status, _, _ := run("bench " + args); status != exitUsage {
			t.Errorf("%q: exit %d", args, status)
		}
	}
}
