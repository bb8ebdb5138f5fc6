package health

import (
	"maps"
	"slices"
	"time"
)

// Exports is what became of flow exports, all ports together.
type Exports struct {
	Received  Count // datagrams that workers took from their sockets
	Processed Count // of those, were exports
	Shed      Count
	Denied    Count // of senders that are not to be heard
	Invalid   Count // no exports

	Records Count            // that had addresses
	Foreign Count            // of those: neither address is ours
	Ignored Count            // of those: a rule or the script left them out
	Script  string           // why the script was given up; "": it was not, or there is none
	Skipped map[string]Count // what made no record, by the decoder's reason
	Faults  map[string]Count // parts that could not be read, by the decoder's reason
}

// Port is one port that exporters send to.
type Port struct {
	Listen         string // ADDRESS:PORT
	Received       Count  // datagrams, and messages over TCP
	Lost           map[string]Count
	Buffer, Wanted int // receive buffer of a socket, bytes
}

// Exporter is one that has sent flow exports.
type Exporter struct {
	Address  string
	Protocol string
	Heard    time.Duration // since it was first heard
	Records  uint64

	Sampling uint32 // N of 1:N
	Told     bool   // it, or the configuration, has told it

	Missing   uint64  // data sets without their template, lately
	LostShare float64 // of what it sent lately, lost before us
	Lost      uint64  // since the start, in LostUnit
	LostUnit  string

	Skew   time.Duration // our clock minus its own; 0: not told
	Median time.Duration // of its flows; 0: not told
	Delay  time.Duration // from first packet to export, of 19 of 20 flows; 0: not told
	Idle   time.Duration // since its last datagram
	Silent bool          // for longer than it ever was
}

// Names of the stages of flow exports.
const (
	StageExports = "exports"
	StageRecords = "records"
)

// socketFull is the name of datagrams for which a receive buffer had no room.
const socketFull = "socket_full"

// setLost are the faults by which records are lost; the others cost nothing, or templates.
var setLost = []string{"short_datagram", "bad_set_length", "bad_field", "too_many"}

// exportStages returns the way of flow exports: datagrams, and the records in them. Data sets
// without their template are counted where their records would be, as nobody knows how many.
func exportStages(f *Facts) []Stage {
	x := &f.Exports
	exports := Stage{Name: StageExports, Unit: "datagrams"}
	for i := range f.Ports {
		lost := f.Ports[i].Lost
		for _, place := range slices.Sorted(maps.Keys(lost)) {
			exports.lose(place, lost[place])
		}
	}
	exports.lose("shed", x.Shed)
	exports.lose("denied", x.Denied)
	exports.lose("invalid", x.Invalid)
	exports.out(x.Processed.N, x.Processed.Now)

	records := Stage{Name: StageRecords, Unit: "records"}
	for _, reason := range slices.Sorted(maps.Keys(x.Skipped)) {
		name := reason
		if reason == "foreign" { // not the addresses, as below
			name = "foreign_format"
		}
		records.lose(name, x.Skipped[reason])
	}
	for _, fault := range setLost {
		records.lose(fault, x.Faults[fault])
	}
	records.lose("ignored", x.Ignored)
	records.lose("foreign", x.Foreign)
	gone := Count{x.Ignored.N + x.Foreign.N, x.Ignored.Now + x.Foreign.Now}
	records.out(less(x.Records.N, gone.N), less(x.Records.Now, gone.Now))
	return []Stage{exports, records}
}
