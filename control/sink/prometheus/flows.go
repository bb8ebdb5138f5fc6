package prometheus

import "strconv"

// MaxExporterSeries is how many exporters have series of their own; the others share one.
const MaxExporterSeries = 256

// Flows is what came of flow exports.
type Flows struct {
	Datagrams uint64            // that were exports
	Records   uint64            // that had addresses
	Foreign   uint64            // of those: neither address is of a home network
	Ignored   uint64            // of those: a rule of the filter, or its script, left them out
	Dropped   map[string]uint64 // datagrams that were not read, by reason
	Skipped   map[string]uint64 // what made no record, by reason
	Faults    map[string]uint64 // parts that could not be read, by reason
	Unlisted  uint64            // datagrams of exporters that found no place in the list

	Script *FlowScript // nil: there is none

	Ports     []FlowPort // no two with the same Listen
	Templates Templates
	Exporters []FlowExporter // with a label of their own, no two with the same address
	Others    FlowExporter   // all others together: totals alone
	Hidden    int            // exporters in Others
}

// FlowScript is what became of the records that the filter's script was to be asked about.
type FlowScript struct {
	Called, Failed uint64
	Unasked        map[string]uint64 // records kept without asking, by reason
}

// FlowPort is one port that exporters send to.
type FlowPort struct {
	Listen      string
	Sockets     []FlowSocket
	Buffer      int              // receive buffer of a socket, bytes
	Connections *FlowConnections // nil: it takes none
}

// FlowSocket is one socket of a port.
type FlowSocket struct{ Received, Bytes uint64 }

// FlowConnections are those of IPFIX over TCP.
type FlowConnections struct {
	Open     int
	Accepted uint64
	Refused  uint64
	Messages uint64
}

// Templates are those that exporters announced.
type Templates struct {
	Held     int
	Bytes    int64
	Learned  uint64
	Replaced uint64
	Evicted  uint64 // for want of room
	Refused  uint64 // for want of room
}

// FlowExporter is one exporter. Pointers are nil for what it never told.
type FlowExporter struct {
	Address                           string
	Datagrams, Records, Lost, Missing uint64
	Protocol                          string
	Sampling                          uint32 // N of 1:N; 0: no record yet
	SamplingFrom                      string // where that was learned; unknown: never told
	Skew, Duration, Delay             *float64
}

// flowFamilies are of flow exports. There are none where no port takes them.
func flowFamilies() (all []family) {
	for _, some := range [][]family{
		flowTotals(), flowPorts(), templateFamilies(), exporterFamilies(),
	} {
		all = append(all, some...)
	}
	return all
}

func flowTotals() []family {
	return []family{
		flowCounter("weir_flow_datagrams_total", "Datagrams that were flow exports.",
			func(f *Flows) uint64 { return f.Datagrams }),
		flowCounter("weir_flow_records_total", "Flow records with addresses.",
			func(f *Flows) uint64 { return f.Records }),
		flowCounter("weir_flow_foreign_records_total",
			"Flow records with neither address in a home network.",
			func(f *Flows) uint64 { return f.Foreign }),
		flowCounter("weir_flow_ignored_records_total",
			"Flow records of home networks that the filter's rules or script left out.",
			func(f *Flows) uint64 { return f.Ignored }),
		scriptCounter("weir_flow_script_calls_total",
			"Flow records that the filter's script was asked about.",
			func(s *FlowScript) uint64 { return s.Called }),
		scriptCounter("weir_flow_script_failures_total",
			"Calls of the filter's script that failed: their records are counted.",
			func(s *FlowScript) uint64 { return s.Failed }),
		counters("weir_flow_script_unasked_records_total", "reason",
			"Flow records that are counted without asking the filter's script.",
			func(s *Snapshot, out *series) {
				if s.Flows != nil && s.Flows.Script != nil {
					eachReason(s.Flows.Script.Unasked, out)
				}
			}),
		flowReasons("weir_flow_dropped_datagrams_total",
			"Datagrams that came to a port and were not read, by reason.",
			func(f *Flows) map[string]uint64 { return f.Dropped }),
		flowReasons("weir_flow_skipped_total",
			"Records that tell of no traffic to count, and data sets without template, by reason.",
			func(f *Flows) map[string]uint64 { return f.Skipped }),
		flowReasons("weir_flow_faults_total",
			"Parts of flow exports that could not be read, by reason.",
			func(f *Flows) map[string]uint64 { return f.Faults }),
		flowCounter("weir_flow_unlisted_datagrams_total",
			"Datagrams of exporters that found no place in the list; their records are counted.",
			func(f *Flows) uint64 { return f.Unlisted }),
	}
}

// flowCounter is a counter of one series.
func flowCounter(name, help string, value func(f *Flows) uint64) family {
	return counters(name, "", help, func(s *Snapshot, out *series) {
		if s.Flows != nil {
			out.add(float64(value(s.Flows)))
		}
	})
}

func scriptCounter(name, help string, value func(s *FlowScript) uint64) family {
	return counters(name, "", help, func(s *Snapshot, out *series) {
		if s.Flows != nil && s.Flows.Script != nil {
			out.add(float64(value(s.Flows.Script)))
		}
	})
}

func flowReasons(name, help string, totals func(f *Flows) map[string]uint64) family {
	return counters(name, "reason", help, func(s *Snapshot, out *series) {
		if s.Flows != nil {
			eachReason(totals(s.Flows), out)
		}
	})
}

func flowPorts() []family {
	return []family{
		counters("weir_flow_socket_datagrams_total", "listen socket",
			"Datagrams received by the socket of a port for flow exports.",
			eachSocket(func(s *FlowSocket) uint64 { return s.Received })),
		counters("weir_flow_socket_bytes_total", "listen socket",
			"Payload received by the socket of a port for flow exports.",
			eachSocket(func(s *FlowSocket) uint64 { return s.Bytes })),
		gauges("weir_flow_socket_buffer_bytes", "listen",
			"Receive buffer that each socket of the port was granted.",
			eachPort(func(p *FlowPort, out *series) { out.add(float64(p.Buffer), p.Listen) })),
		gauges("weir_flow_open_connections", "listen",
			"Connections of IPFIX over TCP that are open.",
			eachPort(func(p *FlowPort, out *series) {
				if c := p.Connections; c != nil {
					out.add(float64(c.Open), p.Listen)
				}
			})),
		counters("weir_flow_connections_total", "listen result",
			"Connections of IPFIX over TCP, by whether they were accepted.",
			eachPort(func(p *FlowPort, out *series) {
				if c := p.Connections; c != nil {
					out.add(float64(c.Accepted), p.Listen, "accepted")
					out.add(float64(c.Refused), p.Listen, "refused")
				}
			})),
		counters("weir_flow_connection_messages_total", "listen",
			"Messages of IPFIX over TCP.",
			eachPort(func(p *FlowPort, out *series) {
				if c := p.Connections; c != nil {
					out.add(float64(c.Messages), p.Listen)
				}
			})),
	}
}

func eachPort(do func(p *FlowPort, out *series)) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		if s.Flows == nil {
			return
		}
		for i := range s.Flows.Ports {
			do(&s.Flows.Ports[i], out)
		}
	}
}

func eachSocket(value func(s *FlowSocket) uint64) func(*Snapshot, *series) {
	return eachPort(func(p *FlowPort, out *series) {
		for i := range p.Sockets {
			out.add(float64(value(&p.Sockets[i])), p.Listen, strconv.Itoa(i))
		}
	})
}

func templateFamilies() []family {
	return []family{
		flowGauge("weir_templates", "Templates of exporters that are held.",
			func(f *Flows) float64 { return float64(f.Templates.Held) }),
		flowGauge("weir_templates_bytes", "Memory that templates and sampling rates take.",
			func(f *Flows) float64 { return float64(f.Templates.Bytes) }),
		flowCounter("weir_templates_learned_total", "Templates that were new.",
			func(f *Flows) uint64 { return f.Templates.Learned }),
		flowCounter("weir_templates_replaced_total",
			"Templates that took the place of another layout.",
			func(f *Flows) uint64 { return f.Templates.Replaced }),
		flowCounter("weir_templates_evicted_total", "Templates dropped for want of room.",
			func(f *Flows) uint64 { return f.Templates.Evicted }),
		flowCounter("weir_templates_refused_total",
			"Templates and sampling rates that there was no room for.",
			func(f *Flows) uint64 { return f.Templates.Refused }),
	}
}

func flowGauge(name, help string, value func(f *Flows) float64) family {
	return gauges(name, "", help, func(s *Snapshot, out *series) {
		if s.Flows != nil {
			out.add(value(s.Flows))
		}
	})
}

func exporterFamilies() []family {
	return []family{
		exporterCounter("weir_flow_exporter_datagrams_total", "Datagrams of the exporter.",
			func(e *FlowExporter) uint64 { return e.Datagrams }),
		exporterCounter("weir_flow_exporter_records_total", "Flow records of the exporter.",
			func(e *FlowExporter) uint64 { return e.Records }),
		exporterCounter("weir_flow_exporter_lost_total",
			"What the exporter's sequence numbers say was lost on its way: records of NetFlow 5 "+
				"and IPFIX, else datagrams.",
			func(e *FlowExporter) uint64 { return e.Lost }),
		exporterCounter("weir_flow_exporter_templates_missing_total",
			"Data sets of the exporter whose template had not come.",
			func(e *FlowExporter) uint64 { return e.Missing }),
		exporterGauge("weir_flow_exporter_sampling_rate", "N of the exporter's sampling of 1 in N.",
			func(e *FlowExporter) *float64 {
				if e.Sampling == 0 {
					return nil
				}
				n := float64(e.Sampling)
				return &n
			}),
		exporterInfo("weir_flow_exporter_info",
			"What the exporter sends, and where its sampling rate was learned."),
		exporterGauge("weir_flow_exporter_clock_skew_seconds",
			"Our clock minus the exporter's.",
			func(e *FlowExporter) *float64 { return e.Skew }),
		exporterGauge("weir_flow_exporter_flow_duration_seconds",
			"Time that half of the exporter's flows take at most.",
			func(e *FlowExporter) *float64 { return e.Duration }),
		exporterGauge("weir_flow_exporter_detection_delay_seconds",
			"Time from a flow's first packet to its export that 19 of 20 flows keep.",
			func(e *FlowExporter) *float64 { return e.Delay }),
	}
}

// exporterCounter is a counter per exporter. Those without a label of their own share one, so that
// nobody can make series by making addresses up.
func exporterCounter(name, help string, value func(e *FlowExporter) uint64) family {
	f := counters(name, "exporter", help, func(s *Snapshot, out *series) {
		if s.Flows == nil {
			return
		}
		for i := range s.Flows.Exporters {
			out.add(float64(value(&s.Flows.Exporters[i])), s.Flows.Exporters[i].Address)
		}
		out.room++ // what they share is not left out
		out.add(float64(value(&s.Flows.Others)), "other")
		out.omit(s.Flows.Hidden)
	})
	f.limit = MaxExporterSeries
	return f
}

// exporterInfo is a series per exporter whose labels say it all.
func exporterInfo(name, help string) family {
	f := gauges(name, "exporter protocol sampling_from", help, func(s *Snapshot, out *series) {
		if s.Flows == nil {
			return
		}
		for i := range s.Flows.Exporters {
			e := &s.Flows.Exporters[i]
			out.add(1, e.Address, e.Protocol, e.SamplingFrom)
		}
		out.omit(s.Flows.Hidden)
	})
	f.limit = MaxExporterSeries
	return f
}

func exporterGauge(name, help string, value func(e *FlowExporter) *float64) family {
	f := gauges(name, "exporter", help, func(s *Snapshot, out *series) {
		if s.Flows == nil {
			return
		}
		for i := range s.Flows.Exporters {
			e := &s.Flows.Exporters[i]
			if v := value(e); v != nil {
				out.add(*v, e.Address)
			}
		}
		out.omit(s.Flows.Hidden)
	})
	f.limit = MaxExporterSeries
	return f
}
