package decode

// FlowProto is an export protocol in one version.
type FlowProto uint8

// The protocols, in the order of flowProtoNames.
const (
	NetFlow5 FlowProto = iota
	NetFlow9           // RFC 3954
	IPFIX              // RFC 7011
	SFlow4             // RFC 3176, and its version 2
	SFlow5             // sflow.org/sflow_version_5.txt
	NumFlowProtos
)

var flowProtoNames = [NumFlowProtos]string{"netflow5", "netflow9", "ipfix", "sflow4", "sflow5"}

// String returns the name used in metrics and JSON.
func (p FlowProto) String() string { return flowProtoNames[p] }

// Flow is what a flow record tells beside what a packet shows. Zero is not told, unless a field
// says otherwise. Only the flow decoders set it.
type Flow struct {
	Start, End int64 // first and last packet, nanoseconds since 1970 UTC, by the exporter's clock
	NextHop    Addr  // zero Addr: not told; BGP's where there is no other
	SrcAS      uint32
	DstAS      uint32
	InIf       uint32 // SNMP ifIndex
	OutIf      uint32
	Forwarding uint8 // RFC 7270 section 4.12: status in the two high bits, reason below
	TOS        uint8 // IPv4 TOS or IPv6 traffic class
}

// Forwarding status, the two high bits of Flow.Forwarding.
const (
	Forwarded = 1 << 6
	Dropped   = 2 << 6
	Consumed  = 3 << 6
)

// Skip says why something in a datagram that is readable made no record.
type Skip uint8

// The reasons, in the order of skipNames. NoTemplate counts data sets, the others records or
// samples.
const (
	NoTemplate  Skip = iota
	NoAddresses      // pure layer 2, or a header that is not IP
	NATEvent         // a translation that began or ended: no traffic
	NoTraffic        // a record without any count of packets or bytes that is no flow
	NoHeader         // sFlow: a sampled header of a protocol that is not read
	Foreign          // sFlow: a sample that is not read, or a record of another enterprise
	NumSkips
)

var skipNames = [NumSkips]string{
	"no_template", "no_addresses", "nat_event", "no_traffic", "no_header", "foreign",
}

// String returns the name used in metrics and JSON.
func (s Skip) String() string { return skipNames[s] }

// Fault says what is wrong with a datagram or a part of it. The rest is read where it can be.
type Fault uint8

// The faults, in the order of faultNames.
const (
	ShortDatagram Fault = iota // it ends inside a header or a record that it announces
	BadVersion                 // no export protocol that is read
	BadCount                   // more, or fewer, records than the header says
	BadSetLength               // a set or sample that is longer than what is left, or impossible
	BadTemplate                // a template without fields, of no length, or longer than a datagram
	BadField                   // a field that contradicts its template or standard
	TooMany                    // more templates, fields, domains or samples than are kept
	NumFaults
)

var faultNames = [NumFaults]string{
	"short_datagram", "bad_version", "bad_count", "bad_set_length", "bad_template", "bad_field",
	"too_many",
}

// String returns the name used in metrics and JSON.
func (f Fault) String() string { return faultNames[f] }

// RateSource says where an exporter's sampling rate was learned.
type RateSource uint8

// The sources, from the weakest to the strongest, in the order of rateSourceNames.
const (
	RateUnknown    RateSource = iota // never told: taken as the configured default
	RateHeader                       // NetFlow v5's header
	RateOptions                      // options data, for the whole exporter or domain
	RateSampler                      // options data, for the record's sampler or selector
	RateInterface                    // options data, for the record's interface
	RateRecord                       // the record or sample itself
	RateConfigured                   // the configuration overrides
	NumRateSources
)

var rateSourceNames = [NumRateSources]string{
	"unknown", "header", "options", "sampler", "interface", "record", "configured",
}

// String returns the name used in metrics and JSON.
func (s RateSource) String() string { return rateSourceNames[s] }

// MaxSampling is the greatest sampling rate that is believed: 1:2^24.
const MaxSampling = 1 << 24

// Arrival is one datagram as it came, and what the configuration says of its sender.
type Arrival struct {
	Payload  []byte // valid until the decoder has returned its last record
	Source   Addr   // of the socket
	Port     uint16
	Time     int64  // of receipt, nanoseconds since 1970 UTC
	Sampling uint32 // the configuration's override, N of 1:N; 0: none
	Default  uint32 // N where the exporter never tells; 0 is 1
}

// Datagram is what a flow decoder made of one export datagram, complete once it has returned the
// last record. It is the decoder's until the next datagram.
type Datagram struct {
	Proto    FlowProto
	Valid    bool   // its header was read, whatever came of the rest
	Exporter Addr   // sFlow's agent; else Arrival.Source
	Domain   uint32 // v5: engine type and ID; v9: source ID; IPFIX: domain; sFlow: sub-agent
	Exported int64  // when it was sent by the exporter's clock, ns since 1970 UTC; 0: not told
	Lost     uint32 // what its sequence number says was lost before it, in Unit
	Late     bool   // its sequence number is one that was passed: reordered, or a repetition
	Restart  bool   // its sequence number or uptime began anew

	Records        uint32 // returned as Record
	Options        uint32 // options data records
	Templates      uint32 // template and options template records
	CounterSamples uint32 // sFlow
	Discarded      uint32 // sFlow samples of packets that the device dropped
	Learned        RateSource
	Rate           uint32 // N that the last record was given; 0 before any
	Skipped        [NumSkips]uint32
	Faults         [NumFaults]uint32
}

// LostUnit says what the sequence numbers of p count, and so what Datagram.Lost does.
func (p FlowProto) LostUnit() string {
	switch p {
	case NetFlow5, IPFIX:
		return "records"
	}
	return "datagrams"
}
