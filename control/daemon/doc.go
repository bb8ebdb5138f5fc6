// Package daemon is a running weir: it opens the sources that the configuration names, runs the
// engine on them, keeps evidence, serves the API and the metrics, takes on a changed configuration
// and stops in order. It puts the other packages together and decides nothing about traffic.
package daemon
