package prometheus

import "strconv"

// sourceFamilies are of what weir captures from, queue by queue.
func sourceFamilies() []family {
	return []family{
		gauges("weir_source_up", "iface queue",
			"Whether the queue is held and its link is up.",
			eachQueue(func(q *Queue) float64 { return truth(q.Up) })),
		counters("weir_rx_packets_total", "iface queue",
			"Frames received from the queue.",
			eachQueue(func(q *Queue) float64 { return float64(q.Received) })),
		counters("weir_rx_bytes_total", "iface queue",
			"Bytes received from the queue, on the wire.",
			eachQueue(func(q *Queue) float64 { return float64(q.Bytes) })),
		counters("weir_rx_dropped_packets_total", "iface queue reason",
			"Frames lost between the driver and weir, by the place where they were lost.",
			func(s *Snapshot, out *series) {
				everyQueue(s, func(iface, queue string, q *Queue) {
					for reason, n := range q.Dropped {
						out.add(float64(n), iface, queue, reason)
					}
				})
			}),
		counters("weir_rx_passed_packets_total", "iface",
			"Frames of queues that weir does not hold, which went to the host.",
			func(s *Snapshot, out *series) {
				for i := range s.Interfaces {
					out.add(float64(s.Interfaces[i].Passed), s.Interfaces[i].Name)
				}
			}),
		gauges("weir_xdp_mode_info", "iface queue mode zerocopy",
			"How AF_XDP hands over the queue's frames: zerocopy, copy or generic.",
			func(s *Snapshot, out *series) {
				everyQueue(s, func(iface, queue string, q *Queue) {
					if q.XDP != "" {
						out.add(1, iface, queue, q.XDP, strconv.FormatBool(q.XDP == "zerocopy"))
					}
				})
			}),
		gauges("weir_xdp_zerocopy_missing", "iface queue",
			"Whether the queue is without zero-copy, which is asked for and could be.",
			func(s *Snapshot, out *series) {
				everyQueue(s, func(iface, queue string, q *Queue) {
					if q.XDP != "" {
						out.add(truth(q.NoZeroCopy), iface, queue)
					}
				})
			}),
		gauges("weir_xdp_queue_info", "iface queue busy_poll huge_pages numa_node",
			"What the kernel granted the queue: busy polling, pages and place of its memory.",
			eachGrant(func(g *Granted) (float64, []string) {
				return 1, []string{g.BusyPoll, g.Huge, strconv.Itoa(g.Node)}
			})),
		gauges("weir_xdp_ring_frames", "iface queue",
			"Frames that the queue's ring holds.",
			eachGrant(func(g *Granted) (float64, []string) { return float64(g.Frames), nil })),
		gauges("weir_xdp_ring_fill_ratio", "iface queue",
			"How full the queue's ring is at the moment of the scrape.",
			eachGrant(func(g *Granted) (float64, []string) { return g.Fill, nil })),
	}
}

// queueFamilies are of who receives from each queue, and what was lost of it.
func queueFamilies() []family {
	return []family{
		counters("weir_queue_lost_packets_total", "iface queue place",
			"Packets lost at the nic, in xdp, in the ring, or at a full table: for their hosts.",
			func(s *Snapshot, out *series) {
				everyQueue(s, func(iface, queue string, q *Queue) {
					out.add(float64(q.Lost.NIC), iface, queue, "nic")
					out.add(float64(q.Lost.XDP), iface, queue, "xdp")
					out.add(float64(q.Lost.Ring), iface, queue, "ring")
					out.add(float64(q.Lost.Table), iface, queue, "table")
				})
			}),
		gauges("weir_queue_busy_ratio", "iface queue",
			"Part of the last second that the queue's worker spent on packets.",
			eachQueue(func(q *Queue) float64 { return q.Busy })),
		gauges("weir_queue_fill_ratio", "iface queue",
			"The highest fill of the rings of the queue's worker in the last second.",
			eachQueue(func(q *Queue) float64 { return q.Fill })),
		gauges("weir_queue_info", "iface queue worker core",
			"Who receives from the queue.",
			func(s *Snapshot, out *series) {
				everyQueue(s, func(iface, queue string, q *Queue) {
					out.add(1, iface, queue, strconv.Itoa(q.Worker), core(q.Core))
				})
			}),
	}
}

// eachGrant returns the rows of a family of AF_XDP queues that are held.
func eachGrant(value func(g *Granted) (float64, []string)) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		everyQueue(s, func(iface, queue string, q *Queue) {
			if q.Granted != nil {
				v, labels := value(q.Granted)
				out.add(v, append([]string{iface, queue}, labels...)...)
			}
		})
	}
}

func everyQueue(s *Snapshot, do func(iface, queue string, q *Queue)) {
	for i := range s.Interfaces {
		in := &s.Interfaces[i]
		for j := range in.Queues {
			do(in.Name, strconv.Itoa(in.Queues[j].Queue), &in.Queues[j])
		}
	}
}

// eachQueue returns the rows of a family that has one value for each queue.
func eachQueue(value func(q *Queue) float64) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		everyQueue(s, func(iface, queue string, q *Queue) { out.add(value(q), iface, queue) })
	}
}

// workerFamilies are of the threads that count.
func workerFamilies() []family {
	return []family{
		gauges("weir_core_busy_ratio", "core worker",
			"Part of the last second that the worker spent on packets.",
			func(s *Snapshot, out *series) {
				for i := range s.Workers {
					w := &s.Workers[i]
					out.add(w.Busy, core(w.Core), strconv.Itoa(w.Worker))
				}
			}),
		gauges("weir_core_longest_gap_seconds", "worker",
			"The longest that the worker left a ring in use alone in the last second.",
			eachWorker(func(w *Worker) float64 { return w.Gap })),
		counters("weir_core_packets_total", "worker",
			"Frames, or datagrams of flow exports, that the worker received.",
			eachWorker(func(w *Worker) float64 { return float64(w.Packets) })),
		gauges("weir_ring_fill_ratio", "worker",
			"The highest fill of the worker's ring in the last second.",
			eachWorker(func(w *Worker) float64 { return w.Fill })),
	}
}

func eachWorker(value func(w *Worker) float64) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		for i := range s.Workers {
			out.add(value(&s.Workers[i]), strconv.Itoa(s.Workers[i].Worker))
		}
	}
}

// core names a core, or says that the worker may run on any.
func core(n int) string {
	if n < 0 {
		return "any"
	}
	return strconv.Itoa(n)
}

// packetFamilies are of what became of the packets received.
func packetFamilies() []family {
	return []family{
		counter("weir_processed_packets_total",
			"Packets looked at: those received, without those shed.",
			func(s *Snapshot) uint64 { return s.Packets.Processed }),
		counter("weir_shed_packets_total",
			"Packets left out at random while a ring was nearly full; rates are scaled for them.",
			func(s *Snapshot) uint64 { return s.Packets.Shed }),
		counters("weir_decode_errors_total", "reason",
			"Packets whose addresses could not be read: they are counted for no host.",
			func(s *Snapshot, out *series) { eachReason(s.Packets.Errors, out) }),
		counters("weir_decode_damaged_packets_total", "reason",
			"Packets damaged behind their addresses: they are counted for their hosts.",
			func(s *Snapshot, out *series) { eachReason(s.Packets.Damaged, out) }),
		counter("weir_foreign_packets_total",
			"Packets with neither address in a home network.",
			func(s *Snapshot) uint64 { return s.Packets.Foreign }),
		counter("weir_internal_packets_total",
			"Packets from one address in a home network to another.",
			func(s *Snapshot) uint64 { return s.Packets.Internal }),
		counter("weir_ignored_packets_total",
			"Packets of home networks that a rule of the filter left out.",
			func(s *Snapshot) uint64 { return s.Packets.Ignored }),
		counter("weir_table_unlisted_packets_total",
			"Packets counted for a home network but for no host, which had few of them so far.",
			func(s *Snapshot) uint64 { return s.Packets.Unlisted }),
		counter("weir_table_unplaced_packets_total",
			"Packets counted for a home network but for no host, because the tables were full.",
			func(s *Snapshot) uint64 { return s.Packets.Unplaced }),
	}
}

func eachReason(totals map[string]uint64, out *series) {
	for reason, n := range totals {
		out.add(float64(n), reason)
	}
}
