// Package report writes the documents of an incident: a text with FastNetMon's labels in their
// order, behind it weir's own account; a JSON document in FastNetMon's shape with more under the
// key "weir"; and, with the evidence as pcapng, the directory that holds the three.
//
// The documents depend on the incident and its evidence alone: no clock, no locale. Writer is
// what touches the disk, on the goroutine of its caller, which is not that of the control loop.
package report

import (
	"net/netip"
	"strconv"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/rate"
)

// Options bound what a document lists. What is left out is chosen evenly over time, and the
// document says how much it was.
type Options struct {
	Packets int // of the evidence
	Flows   int // per direction and protocol, those with most packets
	Points  int // of the timeline
	Actions int // the latest

	Action string // of the JSON document, "ban" or "unban"; "": by whether the attack is over
}

// DefaultOptions are what a reader can take in; the packets and flows are as many as FastNetMon
// lists by default.
func DefaultOptions() Options {
	return Options{Packets: 500, Flows: 500, Points: 600, Actions: 200}
}

// half returns options that list half as much.
func (o Options) half() Options {
	o.Packets, o.Flows, o.Points, o.Actions = o.Packets/2, o.Flows/2, o.Points/2, o.Actions/2
	return o
}

// orEmpty returns ev, or evidence without samples where there is none.
func orEmpty(ev *capture.Snapshot) *capture.Snapshot {
	if ev == nil {
		return &capture.Snapshot{}
	}
	return ev
}

// address returns how a target is written where one host is expected.
func address(target netip.Prefix) string {
	if target.IsSingleIP() {
		return target.Addr().String()
	}
	return target.String()
}

// protocol returns the protocol of the attack as FastNetMon has it: that of the three with the
// highest packet rate at the verdict.
func protocol(inc *ban.Incident) string {
	r := &inc.AtVerdict[inc.Trigger.Direction]
	best, name := uint64(0), "unknown"
	for _, class := range [...]rate.Class{rate.TCP, rate.UDP, rate.ICMP} {
		if r.Packets[class] > best {
			best, name = r.Packets[class], class.String()
		}
	}
	return name
}

// delay returns the time from the first packet over the limit to the verdict.
func delay(inc *ban.Incident) time.Duration { return time.Duration(inc.Detected - inc.Begin) }

// stamp writes nanoseconds since 1970 as RFC 3339 in UTC.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// maxText is the greatest number of bytes of a text that comes from elsewhere: names, reasons.
const maxText = 200

// printable returns s on one line and of bounded length: what an operator's terminal would take
// for more than text is written as Go escapes.
func printable(s string) string {
	cut := s[:min(len(s), maxText)]
	quoted := strconv.Quote(cut)
	quoted = quoted[1 : len(quoted)-1]
	if len(cut) < len(s) {
		quoted += "…"
	}
	return quoted
}

// bounded returns s cut to a bounded length at the border of a character; JSON has escapes of
// its own.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-4 && s[end]&0xc0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}

// evenly returns at most n elements of all, evenly spaced, the first among them.
func evenly[T any](all []T, n int) []T {
	if n >= len(all) {
		return all
	}
	out := make([]T, 0, n)
	for i := range n {
		out = append(out, all[i*len(all)/n])
	}
	return out
}

// latest returns the last n elements of all.
func latest[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }
