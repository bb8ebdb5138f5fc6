package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/control/api"
	"weir/control/config"
	"weir/decode/netflow/netflowtest"
)

// startPorts runs a daemon that takes flow exports on ports of the loopback interface.
func startPorts(t *testing.T) *Daemon {
	t.Helper()
	return startWith(t, slog.DiscardHandler, func(string) string { return "" })
}

// startWith is startPorts with a log, and more in the file, which is weir.yaml in the folder that
// more is told.
func startWith(t *testing.T, log slog.Handler, more func(dir string) string) *Daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir") // not the test's own: a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text := fmt.Sprintf("version: 1\nnetworks: [10.9.0.0/16]\nstate_dir: %s\nevidence: {dir: %s}\n"+
		"api: {socket: %s}\nmemory: {tables: 128MiB}\n"+
		"thresholds: {incoming: {pps: 1G}}\ncapture:\n  flows:\n"+
		"  - {listen: \":2055\", tcp: true}\n  - {listen: \":2056\"}\n",
		dir, filepath.Join(dir, "evidence"), filepath.Join(dir, "api.sock"))
	file := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(file, []byte(text+more(dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, found, err := config.LoadAll(file)
	if err != nil {
		t.Fatal(found, err)
	}
	// Ports that the kernel chooses: a file cannot ask for them.
	c.Metrics.Listen, c.Capture.Flows[0].Listen = "127.0.0.1:0", "127.0.0.1:0"
	c.Capture.Flows[1].Listen = "[::1]:0"
	d, err := New(c, Options{Path: file, Log: slog.New(log)})
	if err != nil {
		t.Skip("this machine runs no daemon: ", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

// send sends datagrams to a port from a loopback address.
func send(t *testing.T, from string, to netip.AddrPort, datagrams ...[]byte) {
	t.Helper()
	c, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)),
		net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Skip("no such loopback address: ", err)
	}
	defer c.Close()
	for _, d := range datagrams {
		if _, err := c.Write(d); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExportsAreSeen sends datagrams of all sorts, and holds everything that shows them to what was
// sent: the list of exporters, the stages, the metrics and the status.
func TestExportsAreSeen(t *testing.T) {
	d := startPorts(t)
	to, h := d.ports[0].datagrams.Addr(), netflowtest.Header{
		Seconds: uint32(time.Now().Unix()), Uptime: 3_600_000, Sampling: 1000,
	}
	flows := netflowtest.Flows(1, 20)
	var good [][]byte
	for range 5 {
		good = append(good, netflowtest.F3(nil, h, flows))
		h.Seq += 20
	}
	h.Seq += 20 // lost
	good = append(good, netflowtest.F3(nil, h, flows))
	send(t, "127.0.0.2:0", to, good...)
	h.Seq = 7
	send(t, "127.0.0.3:0", to, netflowtest.F1(nil, h, flows), []byte("no export at all"))

	var p api.Pipeline
	end := time.Now().Add(10 * time.Second)
	for time.Now().Before(end) {
		if p = d.Pipeline(); len(p.Stages) > 0 && p.Stages[0].In == 8 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	want := []api.Stage{
		{Name: "exports", In: 8, Out: 7, Lost: []api.Loss{{Name: "invalid", N: 1}}},
		{Name: "records", In: 121, Out: 120, Lost: []api.Loss{{Name: "no_template", N: 1}}},
	}
	for i, w := range want {
		got := p.Stages[i]
		for k := range got.Lost {
			got.Lost[k].Now = 0
		}
		if got.Name != w.Name || got.In != w.In || got.Out != w.Out ||
			!slices.Equal(got.Lost, w.Lost) {
			t.Errorf("stage %+v, want %+v", got, w)
		}
	}
	l := d.Exporters(api.ExporterQuery{Limit: 50})
	if len(l.Exporters) != 2 || l.Matched != 2 {
		t.Fatalf("exporters %+v", l)
	}
	e := l.Exporters[0]
	if e.Address != "127.0.0.2" || e.Protocol != "netflow5" || e.Datagrams != 6 ||
		e.Flows != 120 || e.Lost != 20 || e.LostUnit != "records" || e.SamplingRate != 1000 ||
		e.SamplingFrom != "header" || e.ClockSkewMS == nil || e.MedianFlow == nil ||
		e.DetectionDelay == nil || *e.DetectionDelay < 10 {
		t.Errorf("exporter %+v", e)
	}
	if e = l.Exporters[1]; e.Address != "127.0.0.3" || e.TemplatesMissing != 1 || e.Flows != 0 {
		t.Errorf("exporter %+v", e)
	}
	one := d.Exporters(api.ExporterQuery{Prefix: netip.MustParsePrefix("127.0.0.3/32"), Limit: 1})
	if len(one.Exporters) != 1 || one.Exporters[0].Address != "127.0.0.3" {
		t.Errorf("asked for one: %+v", one)
	}
	seenElsewhere(t, d)
}

// seenElsewhere holds metrics, status and cores to what TestExportsAreSeen has sent.
func seenElsewhere(t *testing.T, d *Daemon) {
	t.Helper()
	f := d.Metrics().Flows
	if f == nil || f.Datagrams != 7 || f.Records != 120 || f.Dropped["invalid"] != 1 ||
		f.Skipped["no_template"] != 1 || len(f.Ports) != 2 || f.Ports[0].Connections == nil ||
		f.Ports[1].Connections != nil || f.Ports[0].Sockets[0].Received != 8 {
		t.Errorf("metrics %+v", f)
	}
	s := d.Status()
	var engines []string
	for i := range s.Sources {
		engines = append(engines, s.Sources[i].Engine)
	}
	if !slices.Equal(engines, []string{"udp", "tcp", "udp"}) || s.Traffic.PPS != 0 || !s.Healthy {
		t.Errorf("sources %v, %d pps, healthy %v: %v", engines, s.Traffic.PPS, s.Healthy,
			s.Problems)
	}
	if c := d.Cores().Cores; len(c) != 3 || c[1].Mode != "stream" || c[2].Worker != 2 {
		t.Errorf("cores %+v", c)
	}
}
