package prometheus

import "time"

// Source is asked once per scrape. The daemon is one.
type Source interface {
	// Metrics returns what holds now, at once: it must not wait for traffic or for a worker. It is
	// called from any goroutine, from several at a time, and what it returned stays as it is.
	Metrics() *Snapshot
}

// Snapshot is everything that one scrape shows. Fields that count packets, bytes and happenings
// are totals since the start, and never go down from one Snapshot to the next; the others are the
// state now. The zero value is that of a weir which has seen nothing yet.
//
// Maps are totals by name. A name should be in them from the start, at zero: what Prometheus first
// sees at 1, it does not see rise.
type Snapshot struct {
	Version string // of weir
	Mode    string // observe or enforce
	Config  Config
	Memory  Memory

	Interfaces []Interface
	Workers    []Worker
	Packets    Packets
	Flows      *Flows // nil: no port takes flow exports
	Loop       Loop
	Incoming   Traffic
	Outgoing   Traffic
	Hosts      int // with a packet in the last second
	Attacks    Attacks
	Mitigation Mitigating

	LogHidden uint64 // lines that the limit on log lines held back
}

// Config is the configuration in force.
type Config struct {
	Hash     string    // of the policy
	Loaded   time.Time // last load or reload that succeeded
	ReloadOK bool      // the last attempt succeeded
}

// Memory is that of the tables, bytes.
type Memory struct{ Tables, Budget uint64 }

// Interface is a network interface that is captured from.
type Interface struct {
	Name   string
	Passed uint64 // frames of queues that weir does not hold, which went to the host
	Queues []Queue
}

// Queue is one receive queue, or one socket of a fanout group.
type Queue struct {
	Queue    int
	Up       bool              // it is held, and its link is up
	XDP      string            // zerocopy, copy or generic; "" for other ways of capture
	Received uint64            // frames
	Bytes    uint64            // on the wire
	Dropped  map[string]uint64 // frames lost before they were received, by place

	Worker int     // that receives from it
	Core   int     // that runs on; -1: any
	Busy   float64 // part of the last second that the worker spent on packets, 0 to 1
	Fill   float64 // of the worker's rings, the highest of the last second, 0 to 1
	Lost   Places

	NoZeroCopy bool     // zero-copy is asked for, could be, and is not granted
	Granted    *Granted // nil for other ways of capture, and for a queue that is not held
}

// Places are where packets of a queue were lost.
type Places struct {
	NIC   uint64 // the hardware had no room
	XDP   uint64 // no buffer of ours, or we were not attached
	Ring  uint64 // the worker was too slow
	Table uint64 // it had no room for their hosts; of a worker's first queue, for all of them
}

// Granted is what the kernel gave a queue of AF_XDP beside its mode.
type Granted struct {
	BusyPoll string  // off, waiting, probing, on, refused
	Huge     string  // hugetlb, thp, none
	Node     int     // -1: not known
	Frames   int     // that the ring holds
	Fill     float64 // of the ring at this moment, 0 to 1
}

// Worker is one thread that counts.
type Worker struct {
	Worker  int
	Core    int     // -1: not pinned
	Packets uint64  // received
	Busy    float64 // part of the last second spent on packets, 0 to 1
	Gap     float64 // the longest that a ring in use was left alone in the last second, seconds
	Fill    float64 // of its ring, the highest of the last second, 0 to 1
}

// Packets is what became of the packets received, all workers together.
type Packets struct {
	Processed uint64 // looked at: received, without those shed
	Shed      uint64 // left out at random while a ring was nearly full
	Foreign   uint64 // neither address is of a home network
	Internal  uint64 // both are
	Ignored   uint64 // left out by a rule
	Unlisted  uint64 // counted for a home network and for no host, which had few of them so far
	Unplaced  uint64 // counted for a home network and for no host: the tables were full

	Errors  map[string]uint64 // whose addresses could not be read, by reason: counted for no host
	Damaged map[string]uint64 // damaged behind their addresses, by reason: counted all the same
}

// Loop is how the control loop fares.
type Loop struct {
	Ticks       *Histogram // of NewTickHistogram, what each second's merge and judgement took
	LateFlips   uint64     // tables that a worker did not hand over in time
	LostSamples uint64     // packets for evidence that found no room on their way to the loop
	LostHints   uint64     // early warnings that found none
}

// Traffic is what was counted for home networks in one direction.
type Traffic struct {
	TCP, UDP, ICMP, Other uint64 // packets; together they are all
	SYN, Fragments        uint64 // packets, which are among the former too
	Bytes                 uint64 // IP length
	PeakPPS               uint64 // the highest packets per second of the last 60 seconds
}

// Attacks are the incidents.
type Attacks struct {
	Active       int
	Total        uint64
	Refused      uint64     // not opened, because too many were open
	ReportErrors uint64     // documents that could not be written
	Latency      *Histogram // of NewLatencyHistogram, from first packet over a limit to verdict

	Now         []Attack // in no order; the MaxAttackSeries greatest are shown
	Mitigations []Mitigation
}

// Attack is a family of attack traffic to one target, now. No two have both in common.
type Attack struct {
	Target string
	Vector string
	PPS    uint64
}

// Mitigation is how many of one kind are in one state now.
type Mitigation struct {
	Kind   string // blackhole, …
	State  string // dry_run, …
	Active int
}

// Mitigating is how those fare who change traffic and tell people. nil is for what there is not.
type Mitigating struct {
	Frozen  bool              // every new mitigation is refused, because a person wants it
	Killed  bool              // the kill file is there
	Refused map[string]uint64 // mitigations, by the rule that they did not pass
	Peers   []Peer            // no two with the same address
	Speaker *Speaker
	Journal *Journal
	Actions []Action // no two with the same name
}

// Peer is a router that routes are announced to.
type Peer struct {
	Address string
	Up      bool // the session is established
	Routes  int  // it was told
	Flaps   uint64
}

// Speaker is the process that speaks BGP. Totals are of all that there were, one after another.
type Speaker struct {
	Up       bool
	Restarts uint64
}

// Journal is where routes are written down before they are announced.
type Journal struct {
	Healthy bool
	Refused uint64 // routes that could not be written down
}

// Action is an integration that is started or told when an attack begins or ends.
type Action struct {
	Name     string // script, exabgp, …
	Done     uint64
	Failed   uint64
	TimedOut uint64
	Dropped  uint64 // found no room to wait
}
