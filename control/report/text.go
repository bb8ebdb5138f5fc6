package report

import (
	"bufio"
	"fmt"
	"io"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
)

// Text writes the report of an incident as text. Up to the end of the flow dump it is what
// FastNetMon writes, label by label, for scripts that read it; weir's own account follows. ev
// may be nil. The only error is that of w.
func Text(w io.Writer, inc *ban.Incident, ev *capture.Snapshot, o Options) error {
	ev = orEmpty(ev)
	t := &text{Writer: bufio.NewWriter(w)}
	fate := fates(inc, ev)
	t.header(inc, &fate)
	t.line("\n\nAttack traffic dump\n")
	listed := ev.Thin(o.Packets).Samples
	for i := range listed {
		t.line("%s", packetLine(&listed[i]))
	}
	t.line("\n\nFlow dump\n")
	t.flows(inc.Target, ev.Samples, o.Flows)
	t.facts(inc, ev, len(listed))
	t.dropped(&fate)
	t.actions(inc.Actions, o.Actions)
	t.timeline(inc.Timeline, o.Points)
	return t.Flush() // bufio keeps the first error
}

// text is a document under construction.
type text struct{ *bufio.Writer }

func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// dropped stands for traffic that a device says it dropped, as far as the evidence tells.
const dropped = rate.NumClasses

// headerClasses are the classes of the header in FastNetMon's order and words.
var headerClasses = [...]struct {
	name  string
	class rate.Class
}{
	{"ip fragmented", rate.Frag}, {"dropped", dropped}, {"tcp", rate.TCP},
	{"syn tcp", rate.SYN}, {"udp", rate.UDP}, {"icmp", rate.ICMP},
}

// header writes the labelled lines and the empty one that ends them.
func (t *text) header(inc *ban.Incident, f *[2]fate) {
	power := inc.AtVerdict[inc.Trigger.Direction].Packets[rate.Total]
	t.line("IP: %s", address(inc.Target))
	t.line("Attack type: %s", detect.FastNetMonType(inc.Vectors))
	t.line("Initial attack power: %d packets per second", power)
	t.line("Peak attack power: %d packets per second", max(inc.PeakPPS, power))
	t.line("Attack direction: %s", inc.Direction())
	t.line("Attack protocol: %s", protocol(inc))

	in, out := &inc.AtVerdict[rate.Incoming], &inc.AtVerdict[rate.Outgoing]
	t.line("Total incoming traffic: %d mbps", mbps(in, rate.Total))
	t.line("Total outgoing traffic: %d mbps", mbps(out, rate.Total))
	t.line("Total incoming pps: %d packets per second", pps(in, rate.Total))
	t.line("Total outgoing pps: %d packets per second", pps(out, rate.Total))
	t.line("Total incoming flows: %d flows per second", in.Flows)
	t.line("Total outgoing flows: %d flows per second", out.Flows)
	for _, c := range headerClasses {
		if c.class == dropped {
			inPPS, inBits := f[rate.Incoming].of(in)
			outPPS, outBits := f[rate.Outgoing].of(out)
			t.class(c.name, inBits/1e6, outBits/1e6, inPPS, outPPS)
			continue
		}
		t.class(c.name, mbps(in, c.class), mbps(out, c.class), pps(in, c.class), pps(out, c.class))
	}
	t.line("")
}

// class writes the four lines of one class of traffic.
func (t *text) class(name string, inMbps, outMbps, inPPS, outPPS uint64) {
	t.line("Incoming %s traffic: %d mbps", name, inMbps)
	t.line("Outgoing %s traffic: %d mbps", name, outMbps)
	t.line("Incoming %s pps: %d packets per second", name, inPPS)
	t.line("Outgoing %s pps: %d packets per second", name, outPPS)
}

func pps(r *rate.Rates, class rate.Class) uint64 { return r.Packets[class] }

// mbps returns whole megabits per second, cut off as FastNetMon does.
func mbps(r *rate.Rates, class rate.Class) uint64 {
	return r.Bits[class] / 1000 / 1000
}
