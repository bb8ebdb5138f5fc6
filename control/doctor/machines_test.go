package doctor

import (
	"encoding/json"
	"net/netip"
	"sync"
	"testing"
	"time"

	"weir/control/host"
	"weir/control/host/hosttest"
	"weir/ring/nic"
)

// good returns an interface of four queues that is as it should be.
func good(name string) NIC {
	n := NIC{Attached: Attached{Known: true}}
	n.Interface = nic.Interface{
		Name: name, Index: 2, MTU: 1500, Up: true, Running: true, RXQueues: 4, Kind: "device",
		Encapsulation: "ether", Received: 1e9,
	}
	n.Driver, n.Firmware, n.Speed, n.NUMANode = "ice", "4.40 0x8001c967", 25_000, 0
	n.Channels = nic.Channels{Combined: 4, MaxCombined: 32}
	n.Rings = nic.Rings{RX: 8160, MaxRX: 8160}
	n.RSS = nic.RSS{
		Table: []int{0, 1, 2, 3, 0, 1, 2, 3}, Key: []byte{0x6d, 0x5a, 0x6d, 0x5a},
		Function: "toeplitz",
	}
	n.Hash = map[nic.FlowType]nic.Fields{nic.UDP4: nic.Hosts, nic.TCP4: nic.Flows}
	n.Offloads = map[string]nic.Offload{nic.LRO: {}, nic.GRO: {On: true}, nic.RXVLAN: {}}
	n.Coalesce = nic.Coalesce{Microseconds: 50}
	n.XDP = nic.XDP{Basic: true, Redirect: true, ZeroCopy: true, RXSG: true}
	for q := range 4 {
		n.IRQs = append(n.IRQs, nic.IRQ{Queue: q, Number: 100 + q})
	}
	n.Missing = map[string]string{}
	return n
}

// bad returns an interface of two queues as an old machine has it.
func bad(name string) NIC {
	n := good(name)
	n.RXQueues, n.Channels = 2, nic.Channels{Combined: 2, MaxCombined: 8}
	n.Driver, n.Firmware, n.Speed, n.NUMANode, n.MTU = "ixgbe", "0x800003df", 10_000, 1, 9000
	n.Rings = nic.Rings{RX: 512, MaxRX: 4096}
	n.RSS = nic.RSS{Table: []int{0, 0, 0, 1}}
	n.Hash = map[nic.FlowType]nic.Fields{nic.UDP4: "v"}
	n.Offloads = map[string]nic.Offload{
		nic.LRO: {On: true}, nic.GRO: {On: true}, nic.RXVLAN: {On: true},
		nic.GROHW: {On: true, Fixed: true},
	}
	n.Coalesce = nic.Coalesce{Microseconds: 100}
	n.Pause = nic.Pause{TX: true, RX: true}
	n.Missed = 1e8
	n.XDP = nic.XDP{}
	n.Missing["xdp"] = "netdev is not told before Linux 6.3"
	n.IRQs = []nic.IRQ{{Queue: 0, Number: 40}}
	n.Attached.Program, n.Attached.Name = 17, "xdp_pass"
	return n
}

// unpacked is what was read of machines, by name: hundreds of files make a slow test.
var unpacked sync.Map

// machines returns a function that returns the facts of one of hosttest's machines, with an
// interface and a plan: fresh ones for each call, of files that are unpacked once.
func machines(t *testing.T) func(name string) *Facts {
	t.Helper()
	return func(name string) *Facts {
		t.Helper()
		text, ok := unpacked.Load(name)
		if !ok {
			read, err := json.Marshal(host.Read(hosttest.Unpack(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			text, _ = unpacked.LoadOrStore(name, read)
		}
		h := &host.Facts{}
		if err := json.Unmarshal(text.([]byte), h); err != nil {
			t.Fatal(err)
		}
		return machine(name, h)
	}
}

// machine adds interface and plan to what is known of a machine.
func machine(name string, h *host.Facts) *Facts {
	f := &Facts{Host: h, Spent: h.Times}
	f.Host.Clock = host.Clock{Known: true, Synchronized: true, MaxError: 0.002}
	switch name {
	case "vm":
		n := NIC{Attached: Attached{Known: true}}
		n.Interface = nic.Interface{Name: "eth0", Up: true, Running: true, RXQueues: 1}
		f.NICs = []NIC{n}
	case "server":
		f.NICs = []NIC{good("ens1f0")}
		f.Plan = Plan{
			Path: "weir.yaml", Enforce: true,
			Mirrors: []Mirror{{
				Interface: "ens1f0", AFXDP: true, ZeroCopy: "prefer", Cores: []int{2, 3, 4, 5},
			}},
			Ports: []Port{{
				Listen: netip.MustParseAddrPort("[::]:2055"), Cores: []int{6}, Buffer: 32 << 20,
				Granted: 32 << 20,
			}},
			Peers: []Peer{{
				Address: netip.MustParseAddr("192.0.2.254"), Took: 1234 * time.Microsecond,
			}},
			Listens: []Listen{{"metrics.listen", netip.MustParseAddrPort("127.0.0.1:9108"),
				Owner{"weir.old", true}}},
		}
	case "broken":
		f.Host.Clock.Synchronized = false
		f.NICs = []NIC{bad("eth0")}
		f.NICs[0].Proof = &Proof{Mode: "copy", Reason: "zero-copy: bind: operation not supported"}
		f.Plan = Plan{
			Path: "weir.yaml", Warnings: 2,
			Mirrors: []Mirror{{
				Interface: "eth0", AFXDP: true, ZeroCopy: "required", Queues: []int{1, 2},
				Cores: []int{0, 1, 9},
			}},
			Ports: []Port{{
				Listen: netip.MustParseAddrPort("0.0.0.0:2055"), Buffer: 32 << 20,
				Granted: 212992, Owner: Owner{Program: "nfcapd"},
			}},
			Peers: []Peer{
				{Address: netip.MustParseAddr("192.0.2.254"), Err: "no answer within 1s"},
				{Address: netip.MustParseAddr("2001:db8::1"), Skipped: "it has a password"},
			},
			Listens: []Listen{{"metrics.listen", netip.MustParseAddrPort("127.0.0.1:9108"),
				Owner{Program: "?"}}},
		}
	}
	return f
}
