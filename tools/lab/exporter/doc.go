// Package exporter runs flow exporters of others in a namespace of a lab: softflowd, pmacct's
// nfprobe and sfprobe, and Open vSwitch.
//
// An exporter watches one interface and tells one collector. It lives in a folder of its own, under
// the namespace's own network, and ends with the test, however that ends.
package exporter
