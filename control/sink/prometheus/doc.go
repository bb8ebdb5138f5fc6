// Package prometheus shows what weir counts at /metrics, for Prometheus to pull. It keeps no
// counts of its own, except of series that it left out: each scrape asks a Source, once, for a
// Snapshot.
//
// The daemon makes an Exporter and runs Serve on a goroutine of its own. Scrapes run on those of
// the HTTP server; a slow one holds a connection, for a while, and nothing else.
package prometheus
