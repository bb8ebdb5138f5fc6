package sflow

import (
	"fmt"
	"net/netip"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// TestSequence holds losses, late datagrams and restarts to streams of sequence numbers.
func TestSequence(t *testing.T) {
	type step struct{ sequence, uptime uint32 }
	f := func(name, want string, steps ...step) {
		t.Helper()
		for _, version := range []uint32{4, 5} {
			d := NewDecoder(Counted, &decode.Decoder{})
			got := ""
			for _, s := range steps {
				read(d, sflowtest.Head{
					Version: version, Agent: agent4, Sequence: s.sequence, Uptime: s.uptime,
				}.Datagram())
				g := d.Datagram()
				switch {
				case g.Restart:
					got += " restart"
				case g.Late:
					got += " late"
				default:
					got += fmt.Sprint(" ", g.Lost)
				}
			}
			if got != " "+want {
				t.Errorf("version %d, %s:%s, want %s", version, name, got, want)
			}
		}
	}
	const hour = 3_600_000
	f("in order", "0 0 0", step{7, hour}, step{8, hour + 1}, step{9, hour + 2})
	f("the first is the first", "0", step{1 << 31, 1})
	f("lost", "0 1 100", step{7, 1}, step{9, 2}, step{110, 3})
	f("late", "0 1 late 0", step{7, hour}, step{9, hour + 2}, step{8, hour + 1}, step{10, hour + 3})
	f("twice", "0 late 0", step{7, 1}, step{7, 1}, step{8, 2})
	f("sequence wraps", "0 0 0 2", step{1<<32 - 2, 1}, step{1<<32 - 1, 2}, step{0, 3}, step{3, 4})
	f("uptime wraps", "0 0 0", step{7, 1<<32 - 1}, step{8, 0}, step{9, 1})
	f("restart", "0 restart 0", step{70_000, hour}, step{1, 10}, step{2, 20})
	f("early restart", "0 restart 0", step{70, hour}, step{1, 10}, step{2, 20})
	f("restart far ahead", "0 restart 0", step{70, hour}, step{99, 10}, step{100, 20})
	f("restart in step", "0 restart 0", step{70, hour}, step{71, 10}, step{72, 20})
	f("far ahead", "0 67108864 restart 0", step{7, 1}, step{8 + 1<<26, 2}, step{10 + 2<<26, 3},
		step{11 + 2<<26, 4})
	f("far back", "0 restart 0", step{70_000, hour}, step{60_000, hour + 1}, step{60_001, hour + 2})
}

// TestSenders: agents that call themselves by the same address, behind different senders, have a
// sequence and pools of their own.
func TestSenders(t *testing.T) {
	d := NewDecoder(Counted, &decode.Decoder{})
	packet := make([]byte, 42)
	packet[0], packet[3] = 0x45, 42
	header := sflowtest.Header(11, 46, 4, packet)
	for n := range uint32(3 * window) {
		for i := range uint32(2) {
			flow := sflowtest.Flow{Source: 3, Rate: 1000, Pool: n*1000 + i*20_000}
			a := decode.Arrival{Source: decode.AddrFrom4(i + 1), Payload: sflowtest.Head{
				Agent: agent4, Sequence: n + 500*i, Uptime: n,
			}.Datagram(flow.Sample(header))}
			var out [1]decode.Record
			for d.Begin(&a); d.Next(out[:]) > 0; {
				if out[0].Sampling != 1000 {
					t.Fatalf("datagram %d of sender %d: 1:%d", n, i, out[0].Sampling)
				}
			}
			if g := d.Datagram(); g.Records != 1 || g.Lost != 0 || g.Restart || g.Late {
				t.Fatalf("datagram %d of sender %d: %+v", n, i, *g)
			}
		}
	}
}

// TestAgents: each agent and sub-agent has a sequence of its own.
func TestAgents(t *testing.T) {
	d := NewDecoder(Counted, &decode.Decoder{})
	agents := []netip.Addr{agent4, hop, netip.MustParseAddr("2001:db8::9")}
	for n := range uint32(10) {
		for i, agent := range agents {
			for sub := range uint32(3) {
				read(d, sflowtest.Head{
					Agent: agent, Sub: sub, Sequence: n + 1000*uint32(i) + 100*sub, Uptime: n,
				}.Datagram())
				if g := d.Datagram(); g.Lost != 0 || g.Restart || g.Late || g.Domain != sub {
					t.Errorf("agent %v: %+v", agent, *g)
				}
			}
		}
	}
}
