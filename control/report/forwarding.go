package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/rate"
)

// Forwarding status (RFC 7270 section 4.12): the two high bits, and reasons for dropping below.
var (
	statusNames = [4]string{"unknown", "forwarded", "dropped", "consumed"}
	dropReasons = [...]string{
		"unknown", "acl_deny", "acl_drop", "unroutable", "adjacency", "fragmentation_df",
		"bad_header_checksum", "bad_total_length", "bad_header_length", "bad_ttl", "policer",
		"wred", "rpf", "for_us", "bad_output_interface", "hardware",
	}
)

const isDropped = 2 // index in statusNames

func statusOf(s *capture.Sample) uint8 { return s.Forwarding >> 6 }

// reasonOf returns why a packet was dropped, as an index of dropReasons.
func reasonOf(s *capture.Sample) uint8 {
	if reason := s.Forwarding & (1<<6 - 1); int(reason) < len(dropReasons) {
		return reason
	}
	return 0
}

// fate is what became of the packets of one direction that the evidence stands for, as the
// routers said that told of them in flow records.
type fate struct {
	packets, bytes uint64 // all
	dropped        uint64 // packets of these
	droppedBytes   uint64
	told           uint64 // packets of which a status was told at all
	reasons        [len(dropReasons)]uint64
}

// fates returns the fate of packets to the target and from it.
func fates(inc *ban.Incident, ev *capture.Snapshot) (all [2]fate) {
	for i := range ev.Samples {
		s := &ev.Samples[i]
		d := rate.Incoming
		if !inc.Target.Contains(capture.Dst(s)) {
			if d = rate.Outgoing; !inc.Target.Contains(capture.Src(s)) {
				continue
			}
		}
		f, n := &all[d], capture.Ratio(s)
		f.packets += n
		f.bytes += n * uint64(s.IPLen)
		switch statusOf(s) {
		case 0:
		case isDropped:
			f.dropped += n
			f.droppedBytes += n * uint64(s.IPLen)
			f.reasons[reasonOf(s)] += n
			f.told += n
		default:
			f.told += n
		}
	}
	return all
}

// of returns that part of the rates r which was dropped: in packets and in bits per second.
func (f *fate) of(r *rate.Rates) (pps, bps uint64) {
	part := func(some, all, of uint64) uint64 {
		return uint64(float64(of) * (float64(some) / float64(max(all, 1))))
	}
	return part(f.dropped, f.packets, r.Packets[rate.Total]),
		part(f.droppedBytes, f.bytes, r.Bits[rate.Total])
}

// reason is one of those for which packets were dropped.
type reason struct {
	Name    string `json:"name"`
	Packets uint64 `json:"packets"`
}

// why returns the reasons, that of most packets first.
func (f *fate) why() (list []reason) {
	for i, n := range f.reasons {
		if n > 0 {
			list = append(list, reason{dropReasons[i], n})
		}
	}
	slices.SortFunc(list, func(a, b reason) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// String says what was dropped, and why; "" where no router told.
func (f *fate) String() string {
	if f.told == 0 {
		return ""
	}
	share := func(n uint64) float64 { return 100 * float64(n) / float64(f.packets) }
	why := make([]string, 0, len(dropReasons))
	for _, r := range f.why() {
		why = append(why, fmt.Sprintf("%s %.1f%%", r.Name, share(r.Packets)))
	}
	if len(why) > 0 {
		why[0] = ": " + why[0]
	}
	return fmt.Sprintf("%.1f%% of the packets that the evidence stands for%s", share(f.dropped),
		strings.Join(why, ", "))
}

// forwarding is what became of the packets that the evidence stands for, in one direction.
type forwarding struct {
	Packets uint64   `json:"packets"`
	Told    uint64   `json:"told"` // of Packets: a router said what became of them
	Dropped uint64   `json:"dropped"`
	Reasons []reason `json:"reasons,omitempty"`
}

// newForwarding returns nil where no router told.
func newForwarding(f *fate) *forwarding {
	if f.told == 0 {
		return nil
	}
	return &forwarding{f.packets, f.told, f.dropped, f.why()}
}
