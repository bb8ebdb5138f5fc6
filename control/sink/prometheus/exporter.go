package prometheus

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Exporter answers scrapes: an http.Handler with /metrics and a page at / that names it.
type Exporter struct {
	// Log gets what goes wrong with a scrape; nil: nobody does. Set it before the first one.
	Log *slog.Logger

	metrics http.Handler
}

// New returns an exporter that asks src at each scrape, and not before. What the Go runtime and
// the operating system say of this process is shown too.
func New(src Source) *Exporter {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(src), goCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	e := &Exporter{}
	e.metrics = promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: errorLog{e},
		// A fault in one series is not to hide all the others.
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
		// Scrapes are local or near, and processors have better things to do.
		DisableCompression: true,
	})
	return e
}

// goCollector shows the Go runtime. Its default set is no OpenMetrics: go_memstats_alloc_bytes is a
// gauge there, and the name of a counter without its _total. What the runtime itself names is.
func goCollector() prometheus.Collector {
	return collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled(),
		collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{
			Matcher: regexp.MustCompile(`^/memory/classes/.*|^/gc/heap/allocs:bytes$`),
		}))
}

// index is the page at /.
const index = `<!DOCTYPE html>
<html lang="en"><head><title>weir</title></head>
<body><p>weir: <a href="/metrics">/metrics</a></p></body></html>
`

// ServeHTTP implements http.Handler.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/metrics":
		http.Error(w, "not found: metrics are at /metrics", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case r.URL.Path == "/metrics":
		e.metrics.ServeHTTP(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, index) // a client that went away
	}
}

// errorLog takes what promhttp has to say.
type errorLog struct{ *Exporter }

// Println implements promhttp.Logger.
func (l errorLog) Println(v ...any) {
	if l.Log != nil {
		l.Log.Error("scrape", "error", strings.TrimSpace(fmt.Sprintln(v...)))
	}
}
