package detect

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"weir/control/rate"
	"weir/decode/pcap"
)

// openCapture opens a file of the capture corpus.
func openCapture(t *testing.T, path string) *pcap.Reader {
	t.Helper()
	root := os.Getenv("WEIR_CORPUS")
	if root == "" {
		root = "../../../shared/corpus"
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the capture corpus is not there (WEIR_CORPUS): %v", err)
	}
	r, err := pcap.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// towards reads the packets to target out of a capture, all of them if target is empty.
func towards(t *testing.T, path, target string) []Packet {
	t.Helper()
	source := openCapture(t, path)
	var pkts []Packet
	var p pcap.Packet
	for {
		err := source.Next(&p)
		if err == io.EOF {
			return pkts
		}
		if err != nil {
			t.Fatal(err)
		}
		frame := gopacket.NewPacket(p.Data, layers.LayerTypeEthernet, gopacket.NoCopy)
		ip, ok := frame.NetworkLayer().(*layers.IPv4)
		if ok && (target == "" || ip.DstIP.String() == target) {
			pkts = append(pkts, packetOf(ip, frame.TransportLayer()))
		}
	}
}

func packetOf(ip *layers.IPv4, transport gopacket.Layer) Packet {
	p := Packet{Weight: 1, Proto: uint8(ip.Protocol), IPLen: uint32(ip.Length)}
	switch {
	case ip.FragOffset != 0:
		p.Fragment = LaterFragment
		return p
	case ip.Flags&layers.IPv4MoreFragments != 0:
		p.Fragment = FirstFragment
	}
	switch h := transport.(type) {
	case *layers.TCP:
		p.SrcPort, p.DstPort, p.TCPFlags = uint16(h.SrcPort), uint16(h.DstPort), h.Contents[13]
	case *layers.UDP:
		p.SrcPort, p.DstPort = uint16(h.SrcPort), uint16(h.DstPort)
	}
	return p
}

func TestClassifyCorpus(t *testing.T) {
	f := func(path, target, family string, share float64) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			pkts := towards(t, path, target)
			if len(pkts) < 200 {
				t.Fatalf("only %d packets", len(pkts))
			}
			got := Classify(pkts, rate.Incoming, nil)
			t.Logf("%d packets: %s; for FastNetMon %s", len(pkts), render(got), FastNetMonType(got))
			if got[0].Name != family || got[0].Share < share {
				t.Errorf("got %s, want first %s with at least %v", render(got), family, share)
			}
			// What a verdict has at hand is less than the whole.
			if early := Classify(pkts[:50], rate.Incoming, nil); early[0].Name != family {
				t.Errorf("the first 50 packets: got %s", render(early))
			}
		})
	}
	const stop = "StopDDoS+packet-captures/"
	f(stop+"amp.TCP.reflection.SYNACK.pcap", "10.10.10.10", "syn_ack_flood", 0.8)
	f(stop+"amp.UDP.isakmp.pcap", "10.10.10.10", "ike_amplification", 1)
	f(stop+"amp.UDP.snmp.src161.pcapng", "10.10.10.10", "snmp_amplification", 0.9)
	f("marcosValle+netlyzer/ddos.pcap", "227.213.154.241", "dns_amplification", 0.9)
	f("OISF+suricata-verify/tests/firewall/tcp-session-syn-flood-drop-precedence/input.pcap",
		"198.51.100.5", "syn_flood", 1)
	f("zeek+zeek/testing/btest/Traces/dhcp/dhcp_flood.pcap", "", "udp_flood", 1)
}
