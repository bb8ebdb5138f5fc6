package api

import "time"

// Status is what `weir status` shows: the daemon, its sources and how it fares.
type Status struct {
	Type     string    `json:"type"` // "status"
	Version  string    `json:"version"`
	Mode     string    `json:"mode"` // observe or enforce
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptime_seconds"`
	Healthy  bool      `json:"healthy"`  // no worker is stuck, the loop keeps up, a source receives
	Problems []string  `json:"problems"` // sentences, the gravest first

	Config  ConfigStatus `json:"config"`
	Memory  MemoryStatus `json:"memory"`
	Loop    LoopStatus   `json:"loop"`
	Traffic Traffic      `json:"traffic"`
	Hosts   int          `json:"hosts_active"` // with a packet in the last second
	Attacks int          `json:"attacks_active"`
	Total   uint64       `json:"attacks_total"` // since the start

	Sources []Source `json:"sources"`

	Mitigation Mitigation `json:"mitigation"`
}

// ConfigStatus is the configuration in force.
type ConfigStatus struct {
	File       string    `json:"file"`
	Hash       string    `json:"hash"` // of the policy, 16 hex digits
	Loaded     time.Time `json:"loaded"`
	ReloadOK   bool      `json:"last_reload_ok"`
	ReloadErr  string    `json:"last_reload_error,omitempty"`
	Restart    []string  `json:"waits_for_restart"` // keys changed in the file, in force then
	Networks   int       `json:"networks"`
	Hostgroups int       `json:"hostgroups"` // without global
}

// MemoryStatus is what the daemon takes, bytes.
type MemoryStatus struct {
	Tables uint64 `json:"tables"`
	Budget uint64 `json:"budget"`
	Heap   uint64 `json:"heap"`
	Huge   uint64 `json:"huge_pages"` // bytes of the process in huge pages when it had started
}

// LoopStatus says how the control loop fares.
type LoopStatus struct {
	TickMillis    float64 `json:"tick_ms"`     // what the last second's merge and judgement took
	TickMillisMax float64 `json:"tick_ms_max"` // since the start
	Late          uint64  `json:"late_flips"`  // flips that a worker missed, since the start
}

// Traffic is the last second of everything received: rates per second, sampling not undone. PPS,
// BPS, Internal, Foreign and Dropped are of frames; In and Out of frames and flow records, of each
// direction the view that saw most.
type Traffic struct {
	Time     time.Time `json:"time"` // end of the second
	PPS      uint64    `json:"pps"`
	BPS      uint64    `json:"bps"`      // on the wire
	In       Rates     `json:"incoming"` // FPS is known only while somebody looks at hosts
	Out      Rates     `json:"outgoing"`
	Internal uint64    `json:"internal_pps"`
	Foreign  uint64    `json:"foreign_pps"` // neither address is ours
	Dropped  uint64    `json:"dropped_pps"` // before and after the ring, all reasons

	Datagrams uint64 `json:"export_datagrams_per_second"` // of flow exports, received
	Records   uint64 `json:"export_records_per_second"`

	History []Moment `json:"history"` // the last 60 seconds, the oldest first
}

// Moment is one second of Traffic's history.
type Moment struct {
	InPPS  uint64 `json:"in_pps"`
	InBPS  uint64 `json:"in_bps"`
	OutPPS uint64 `json:"out_pps"`
	OutBPS uint64 `json:"out_bps"`
}

// Rates are one direction's rates per second. BPS counts the IP length.
type Rates struct {
	PPS     uint64 `json:"pps"`
	BPS     uint64 `json:"bps"`
	FPS     uint64 `json:"fps"`
	TCP     uint64 `json:"tcp_pps"`
	UDP     uint64 `json:"udp_pps"`
	ICMP    uint64 `json:"icmp_pps"`
	SYN     uint64 `json:"syn_pps"`
	Frag    uint64 `json:"frag_pps"`
	AtLeast bool   `json:"fps_at_least,omitempty"` // FPS is a lower bound
}

// Source is one receive queue, one socket of a fanout group, or one socket of a port that flow
// exports come to: of those frames are datagrams.
type Source struct {
	Engine    string            `json:"engine"`    // afxdp, afpacket; udp, tcp: a port
	Interface string            `json:"interface"` // of a port where it listens
	Queue     int               `json:"queue"`
	Worker    int               `json:"worker"`
	State     string            `json:"state"`            // up, link_down, missing, refused
	Mode      string            `json:"mode"`             // zerocopy, copy, generic, fanout, …
	Reason    string            `json:"reason,omitempty"` // why not a better mode, or not up
	Received  uint64            `json:"received"`         // frames, since the start
	Bytes     uint64            `json:"bytes"`
	Dropped   map[string]uint64 `json:"dropped"`        // frames, by place
	Passed    uint64            `json:"passed_to_host"` // frames of queues that we do not hold
	Granted   *Granted          `json:"granted,omitempty"`
}

// Granted is what the kernel gave a queue of AF_XDP beside its mode.
type Granted struct {
	BusyPoll   string `json:"busy_poll"` // off, waiting, probing, on, refused
	BusyReason string `json:"busy_poll_reason,omitempty"`
	Deferral   string `json:"irq_deferral"` // of the interface's interrupts, in words
	Huge       string `json:"huge_pages"`   // of the frames' memory: hugetlb, thp, none
	Node       int    `json:"numa_node"`    // of that memory; -1: not known
	Frames     int    `json:"ring_frames"`
	NICRing    int    `json:"nic_ring_frames"` // 0: not known
	Fill       int    `json:"ring_fill"`       // at this moment, percent
}

// Places is what was lost since the start, by the place where it was.
type Places struct {
	NIC   uint64 `json:"nic"`   // frames that the hardware had no room for
	XDP   uint64 `json:"xdp"`   // frames that found no buffer of ours, or us not attached
	Ring  uint64 `json:"ring"`  // frames that the worker was too slow for
	Table uint64 `json:"table"` // packets counted for a network and for no host: tables were full
}

// Queue is one receive queue, as the pipeline's list has it.
type Queue struct {
	Interface string   `json:"interface"`
	Queue     int      `json:"queue"`
	Worker    int      `json:"worker"`
	Core      int      `json:"core"` // -1: not pinned
	Mode      string   `json:"mode"`
	Busy      float64  `json:"busy"`      // of its worker, as in Core
	Fill      int      `json:"ring_fill"` // of its worker's rings, as in Core
	Lost      Places   `json:"lost"`      // Table is the worker's, and with its first queue
	Granted   *Granted `json:"granted,omitempty"`
}

// Core is one worker: a pinned thread with its ring.
type Core struct {
	Worker     int     `json:"worker"`
	Core       int     `json:"core"` // -1: not pinned
	Interface  string  `json:"interface"`
	Queues     []int   `json:"queues"`
	Mode       string  `json:"mode"`
	PPS        uint64  `json:"pps"`
	BPS        uint64  `json:"bps"`
	Busy       float64 `json:"busy"`        // part of the last second spent on packets, 0 to 1
	Fill       int     `json:"ring_fill"`   // the highest in the last second, percent
	Shed       float64 `json:"shed"`        // part of the last second's frames left out, 0 to 1
	DroppedPPS uint64  `json:"dropped_pps"` // in the last second
	Late       bool    `json:"late"`        // did not hand its table over at the last flip
	HeartAge   float64 `json:"heartbeat_age_seconds"`
	DroppedAll uint64  `json:"dropped"` // since the start
	Lost       Places  `json:"lost"`
}

// CoreList is the answer to GET /api/v1/cores.
type CoreList struct {
	Type  string    `json:"type"` // "cores"
	Time  time.Time `json:"time"`
	Cores []Core    `json:"cores"`
}

// Pipeline is where packets went, stage by stage, and what that means.
type Pipeline struct {
	Type     string    `json:"type"` // "pipeline"
	Time     time.Time `json:"time"`
	Stages   []Stage   `json:"stages"`
	Queues   []Queue   `json:"queues"`
	Findings []Finding `json:"findings"` // the gravest first; never empty

	// Exporters are those of flows with most of them, MaxPipelineExporters at most, without their
	// interfaces.
	Exporters []Exporter `json:"exporters"`
}

// MaxPipelineExporters is how many exporters the pipeline's answer has; ExporterList has all.
const MaxPipelineExporters = 20

// Stage is one step of a packet's way, in totals since the start and in the last second.
type Stage struct {
	Name string `json:"name"` // interface, ring, decode, exports, records, networks, …
	Unit string `json:"unit"` // frames, packets, datagrams, records, hosts, incidents
	In   uint64 `json:"in"`
	Out  uint64 `json:"out"`
	Lost []Loss `json:"lost"`

	InNow  uint64 `json:"in_per_second"`
	OutNow uint64 `json:"out_per_second"`
}

// Loss is what a stage did not hand on, by name.
type Loss struct {
	Name string `json:"name"`
	N    uint64 `json:"n"`
	Now  uint64 `json:"per_second"`
}

// Finding is one fault, or the statement that there is none: what was seen, and what to try next.
type Finding struct {
	ID       string `json:"id"`       // no_input, link_down, foreign, …
	Severity string `json:"severity"` // ok, warning, error
	Stage    string `json:"stage"`
	Message  string `json:"message"` // a whole sentence
	Try      string `json:"try"`     // a command, or ""
}

// Host is one active host's last second.
type Host struct {
	Address string  `json:"address"`
	Group   string  `json:"hostgroup"`
	Network string  `json:"network"`
	In      Rates   `json:"incoming"`
	Out     Rates   `json:"outgoing"`
	Percent float64 `json:"percent_of_limit"` // of the limit that it is nearest to
	Metric  string  `json:"nearest_limit,omitempty"`
	State   string  `json:"state"` // ok, near, attack, allowlisted
}

// HostList is the answer to GET /api/v1/hosts.
type HostList struct {
	Type    string    `json:"type"` // "hosts"
	Time    time.Time `json:"time"`
	Active  int       `json:"active"`  // hosts with a packet in the last second
	Matched int       `json:"matched"` // of those kept, that fit the query
	Floor   uint64    `json:"floor_pps"`
	Hosts   []Host    `json:"hosts"`
}

// HostQuery selects and orders hosts.
type HostQuery struct {
	Sort      string // pps, bps, fps, percent
	Direction string // incoming, outgoing, both: what Sort looks at
	Filter    string // a prefix, an address or its beginning, or a hostgroup; "" is all
	Family    int    // 4, 6 or 0 for both
	Limit     int    // 1 to MaxHosts
}

// Bounds of a HostQuery's limit.
const (
	DefaultHosts = 50
	MaxHosts     = 10_000
)

// Network is one home network's last second.
type Network struct {
	Prefix  string `json:"prefix"`
	Active  int    `json:"hosts_active"`
	In      Rates  `json:"incoming"` // FPS is not known for networks
	Out     Rates  `json:"outgoing"`
	Attacks int    `json:"attacks_active"`
	Exact   bool   `json:"exact"` // every host has a counter of its own
}

// NetworkList is the answer to GET /api/v1/networks.
type NetworkList struct {
	Type     string    `json:"type"` // "networks"
	Time     time.Time `json:"time"`
	Networks []Network `json:"networks"`
}

// Why is all that weir knows of one address, and what it would take to call it attacked.
type Why struct {
	Type      string     `json:"type"` // "why"
	Time      time.Time  `json:"time"`
	Address   string     `json:"address"`
	Ours      bool       `json:"ours"`
	Network   string     `json:"network,omitempty"`
	Counted   string     `json:"counted,omitempty"` // by_address, by_directory, in_aggregate
	Group     string     `json:"hostgroup,omitempty"`
	Prefix    string     `json:"hostgroup_prefix,omitempty"` // the one that matched; "" for global
	Allowed   bool       `json:"allowlisted"`
	AllowedBy string     `json:"allowlisted_by,omitempty"`
	State     string     `json:"state"`   // outside, ok, near, attack, allowlisted
	Verdict   string     `json:"verdict"` // a whole sentence
	In        Rates      `json:"incoming"`
	Out       Rates      `json:"outgoing"`
	Limits    []Limit    `json:"limits"`
	Attack    *Attack    `json:"attack,omitempty"` // open
	Decisions []Decision `json:"decisions"`        // the last 5, the latest first
}

// Limit is one limit of a host with its value now.
type Limit struct {
	Metric  string  `json:"metric"` // e.g. incoming_udp_pps
	Value   uint64  `json:"value"`  // of the last second
	Limit   uint64  `json:"limit"`
	Percent float64 `json:"percent"`
	From    string  `json:"from"` // the hostgroup that sets it; global where it is inherited
}

// Decision is something that weir decided about a host.
type Decision struct {
	Time time.Time `json:"time"`
	ID   string    `json:"id"` // of the incident
	What string    `json:"what"`
}

// Attack is one incident.
type Attack struct {
	ID        string     `json:"id"`
	Target    string     `json:"target"`
	Direction string     `json:"direction"`
	State     string     `json:"state"` // active, over
	Begin     time.Time  `json:"begin"`
	Detected  time.Time  `json:"detected"`
	End       *time.Time `json:"end,omitempty"`
	DelayMS   int64      `json:"delay_ms"`
	Vectors   []Vector   `json:"vectors"`
	Trigger   Trigger    `json:"trigger"`
	PPS       uint64     `json:"pps"` // now, in the trigger's direction
	BPS       uint64     `json:"bps"`
	FPS       uint64     `json:"fps"`
	PeakPPS   uint64     `json:"peak_pps"`
	PeakBPS   uint64     `json:"peak_bps"`
	PeakFPS   uint64     `json:"peak_fps"`
	Allowed   bool       `json:"allowlisted"`
	Actions   []Action   `json:"actions"`
	Evidence  string     `json:"evidence,omitempty"` // folder
}

// Vector is a family of attack traffic and its share of the packets, 0 to 1.
type Vector struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// Trigger is the limit that was exceeded.
type Trigger struct {
	Metric    string `json:"metric"`
	Value     uint64 `json:"value"`
	Limit     uint64 `json:"limit"`
	Hostgroup string `json:"hostgroup"`
	View      string `json:"view"`
}

// Action is a change of traffic that was asked for, or in a dry run would have been.
type Action struct {
	Time        time.Time `json:"time"`
	Kind        string    `json:"kind"`
	Prefix      string    `json:"prefix"`
	Communities []string  `json:"communities"`
	Event       string    `json:"event"` // refused, asked, announced, withdrawn
	Reason      string    `json:"reason,omitempty"`
	DryRun      bool      `json:"dry_run"`
}

// AttackList is the answer to GET /api/v1/attacks: the open ones first, then the latest.
type AttackList struct {
	Type    string    `json:"type"` // "attacks"
	Time    time.Time `json:"time"`
	Attacks []Attack  `json:"attacks"`
}

// ReloadResult says what a reload changed, or would change.
type ReloadResult struct {
	Type     string       `json:"type"` // "reload"
	OK       bool         `json:"ok"`
	DryRun   bool         `json:"dry_run"`
	Changes  []Change     `json:"changes"`
	Files    []FileChange `json:"files"`
	Warnings []string     `json:"warnings"`
	Errors   []string     `json:"errors"` // why nothing was changed
}

// FileChange is a file that the configuration names, with another content.
type FileChange struct {
	Path string `json:"path"` // the key that names it
	File string `json:"file"` // now; "": none is named any more
	Old  string `json:"old"`  // what was in it, e.g. "10 rules"; "": there was none
	New  string `json:"new"`
}

// Change is one key with another value.
type Change struct {
	Path  string `json:"path"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Class string `json:"class"` // live, restart
}
