package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMetric(t *testing.T) {
	const text = `# HELP flows_total Flows.
flows_total{version="9",type="DataFlowSet"} 25
flows_total{version="10",type="DataFlowSet"}7
flows_total{version="9",type="TemplateFlowSet"} 1
flows_total_seconds 100
packets 3
`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()
	p := &process{dir: t.TempDir()}
	f := func(want float64, name string, parts ...string) {
		t.Helper()
		if got, err := p.metric(server.URL, name, parts...); err != nil || got != want {
			t.Errorf("%s %q: %v, %v, not %v", name, parts, got, err, want)
		}
	}
	f(33, "flows_total")
	f(32, "flows_total", `"DataFlowSet"`)
	f(25, "flows_total", `"DataFlowSet"`, `version="9"`)
	f(3, "packets")
	if _, err := p.metric(server.URL, "bytes"); err == nil {
		t.Error("a metric that is not there")
	}
}

// The CPU time is that of the whole group, whoever in it took it.
func TestCPU(t *testing.T) {
	c := exec.Command("sh", "-c", "sh -c 'while :; do :; done' & wait")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Skipf("there is no shell: %v", err)
	}
	p := &process{command: c}
	deadline := time.Now().Add(time.Minute)
	for {
		used, err := p.cpu()
		if err != nil {
			t.Fatal(err)
		}
		if used.total() > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a loop without end takes no CPU time")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	runs := []result{
		{System: "weir", Workload: "F1", NSPerRecord: 900, Loss: 0.5, Rate: 2e5},
		{System: "nfcapd", Workload: "F1", NSPerRecord: 500, Loss: 0.5},
		{System: "weir", Workload: "F1", NSPerRecord: 300, Rate: 2e5},
		{System: "weir", Workload: "F1", NSPerRecord: 100, Rate: 2e5},
		{System: "weir", Workload: "F1", NSPerRecord: 200, Rate: 2e5},
	}
	if err := printTable(&out, runs); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, want := range []string{
		"F1 weir 3/4 200 100– 300 0.00 200", "F1 nfcapd 0/1 500* 500– 500 50.00 0",
	} {
		if got := strings.Join(strings.Fields(lines[1+i]), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
