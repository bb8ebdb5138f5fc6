package daemon

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"weir/control/sink/prometheus"
	"weir/counters"
	"weir/decode"
	"weir/fastpath"
)

const second = int64(1e9)

// watched is a roster with exporters that tests count for, and what it logged.
type watched struct {
	*roster
	log bytes.Buffer
	all []*fastpath.Exporter
	now int64
}

func newWatched(exporters int) *watched {
	w := &watched{now: 1000 * second}
	w.roster = newRoster(slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "cause" {
				return slog.Attr{}
			}
			return a
		},
	})))
	for i := range exporters {
		w.add(fmt.Sprintf("192.0.%d.%d", 2+i/250, i%250+1))
	}
	return w
}

func (w *watched) add(address string) *fastpath.Exporter {
	x := &fastpath.Exporter{Addr: decode.Addr(counters.KeyOf(netip.MustParseAddr(address)))}
	x.Proto.Store(uint32(decode.NetFlow9))
	x.Last.Store(w.now)
	w.all = append(w.all, x)
	return x
}

// hear has x send datagrams with ten records each.
func (w *watched) hear(x *fastpath.Exporter, datagrams uint64) {
	x.Last.Store(w.now)
	x.Datagrams.Add(datagrams)
	x.Records.Add(10 * datagrams)
}

// pass lets seconds pass in which those exporters send.
func (w *watched) pass(seconds int, sending ...*fastpath.Exporter) {
	for range seconds {
		w.now += second
		for _, x := range sending {
			w.hear(x, 10)
		}
		w.look(w.all, w.now)
	}
}

// said returns what was logged since it was last asked.
func (w *watched) said() string {
	defer w.log.Reset()
	return w.log.String()
}

func TestWhatIsLoggedOfExporters(t *testing.T) {
	w := newWatched(1)
	x := w.all[0]
	f := func(what, want string) {
		t.Helper()
		got := w.said()
		if want == "" && got != "" || strings.Count(got, "\n") > 1 || !strings.Contains(got, want) {
			t.Errorf("%s: logged %q, want %q", what, got, want)
		}
	}
	x.Faults.Add(1)
	w.pass(3)
	f("nothing but faults", "")
	w.pass(1, x)
	f("records", `level=INFO msg="new flow exporter" exporter=192.0.2.1 protocol=netflow9`)
	w.pass(10, x)
	f("more of them", "")
	x.Rate.Store(1000)
	x.From.Store(uint32(decode.RateOptions))
	w.pass(2, x)
	f("a rate", `msg="sampling rate of flow exporter" exporter=192.0.2.1 rate=1:1000 from=options`)
	x.Rate.Store(500)
	w.pass(30, x)
	f("another at once", "")
	w.pass(40, x)
	f("and later", "rate=1:500 from=options before=1:1000")
	x.NoTemplate.Add(3)
	w.pass(2, x)
	f("no template",
		`level=WARN msg="flow exporter sends data without its template" exporter=192.0.2.1 sets=3`)
	w.pass(25)
	f("nothing for a while", "")
	w.pass(25, x)
	f("the template", `level=INFO msg="templates of flow exporter have come"`)
	x.Lost.Add(5)
	w.pass(10, x)
	f("loss", `level=WARN msg="flow exports were lost on their way" exporter=192.0.2.1 `+
		`lost="4.8 %" all=5 unit=datagrams`)
	w.pass(30, x)
	f("no more loss", "")
	x.Restarts.Add(1)
	w.pass(3, x)
	f("a restart", `msg="flow exporter began anew" exporter=192.0.2.1 times=1`)
	w.pass(30)
	f("a pause", "")
	w.pass(30)
	f("an end", `level=WARN msg="flow exporter is silent" exporter=192.0.2.1 for=31s`)
	if e := w.exporters(); !e[0].Silent || e[0].Idle.Seconds() != 60 {
		t.Errorf("%+v", e)
	}
	w.pass(3, x)
	f("its return", `level=INFO msg="flow exporter is back" exporter=192.0.2.1`)
}

// An exporter that sends once a minute is not silent in between, and one with several sampling
// rates does not fill the log.
func TestUsualExporters(t *testing.T) {
	w := newWatched(2)
	for i := range 30 {
		w.all[1].Rate.Store(uint32(100 + i))
		w.pass(1, w.all...)
		w.pass(59, w.all[1])
	}
	log := w.said()
	if strings.Contains(log, "silent") {
		t.Errorf("silent between two datagrams: %s", log)
	}
	if n := strings.Count(log, "sampling rate"); n > 6 {
		t.Errorf("%d rates in half an hour: %s", n, log)
	}
}

// However many exporters come at once, the log stays short, and all are told in the end.
func TestManyExportersAreLoggedSlowly(t *testing.T) {
	w := newWatched(100)
	w.pass(1, w.all...)
	log := w.said()
	if n := strings.Count(log, "\n"); n != linesPerLook+1 ||
		!strings.Contains(log, `msg="more exporters changed than are logged" changes=80`) {
		t.Errorf("%d lines: %s", n, log)
	}
	w.pass(6, w.all...)
	if n := strings.Count(log+w.said(), "new flow exporter"); n != 100 {
		t.Errorf("%d are told in the end", n)
	}
}

// BenchmarkLook is one second's look at as many exporters as are told apart.
func BenchmarkLook(b *testing.B) {
	w := newWatched(0)
	w.roster.log = slog.New(slog.DiscardHandler)
	for i := range maxExporters {
		w.hear(w.add(fmt.Sprintf("10.1.%d.%d", i>>8, i&255)), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.pass(1)
	}
}

// TestLabelsStay has exporters come and go: who has a label keeps it, who delivers nothing never
// gets one, and no sum goes down.
func TestLabelsStay(t *testing.T) {
	const most = prometheus.MaxExporterSeries
	w := newWatched(most + 10)
	w.roster.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	idle := w.all[0]
	idle.Datagrams.Add(7)
	var before prometheus.Flows
	f := func(what string, own, hidden int, datagrams uint64) *prometheus.Flows {
		t.Helper()
		var got prometheus.Flows
		w.roster.metrics(&got)
		sum := got.Others.Datagrams
		for i := range got.Exporters {
			sum += got.Exporters[i].Datagrams
		}
		if len(got.Exporters) != own || got.Hidden != hidden || sum != datagrams {
			t.Errorf("%s: %d with a label, %d without, %d datagrams", what, len(got.Exporters),
				got.Hidden, sum)
		}
		if got.Others.Datagrams < before.Others.Datagrams {
			t.Errorf("%s: others went down to %d", what, got.Others.Datagrams)
		}
		before = got
		return &got
	}
	w.pass(1)
	f("silence", 0, most+10, 7)
	w.pass(1, w.all[1:]...)
	all := uint64(7 + 10*(most+9))
	got := f("all but one", most, 10, all)
	if got.Exporters[0].Address != "192.0.2.2" || got.Exporters[0].Datagrams != 10 {
		t.Errorf("first is %+v", got.Exporters[0])
	}
	w.pass(1, w.all[most], w.all[most+9])
	all += 20
	got = f("one of each", most, 10, all)
	last := got.Exporters[most-1]
	if last.Address != "192.0.3.7" || last.Datagrams != 20 {
		t.Errorf("last is %+v", last)
	}
	gone := w.all[most+9]
	w.all = w.all[:most+9]
	w.pass(1)
	f("one without is forgotten", most, 9, all)
	w.all = append(w.all[:1], w.all[2:]...) // its own series ends
	w.pass(1)
	all -= 10
	got = f("one with is forgotten", most, 8, all)
	if n := len(got.Exporters); got.Exporters[n-1].Address != "192.0.3.8" {
		t.Errorf("the next in line has no label: %+v", got.Exporters[n-1])
	}
	w.all = append(w.all, gone)
	w.pass(1)
	if w.named != most || len(w.members) != most+9 {
		t.Errorf("%d labels, %d members", w.named, len(w.members))
	}
}
