package exporter

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"weir/tools/lab"
)

// StartNFProbe starts a pmacctd that exports NetFlow or IPFIX, and waits until it watches. A flow
// is told a second or two after its last packet. Version 5 tells of IPv4 alone.
func StartNFProbe(t testing.TB, n lab.Namespace, o *Options) {
	t.Helper()
	startPmacct(t, n, o, "nfprobe",
		"aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags",
		fmt.Sprintf("nfprobe_receiver: %v", o.Collector),
		fmt.Sprintf("nfprobe_version: %d", o.Version),
		"nfprobe_timeouts: tcp=1:tcp.rst=1:tcp.fin=1:udp=1:icmp=1:general=1:maxlife=60:expint=1",
		"nfprobe_maxflows: 65535")
}

// StartSFProbe starts a pmacctd that exports sFlow, and waits until it watches. Samples wait in it
// until others fill their datagram.
func StartSFProbe(t testing.TB, n lab.Namespace, o *Options) {
	t.Helper()
	startPmacct(t, n, o, "sfprobe",
		"aggregate: src_host, dst_host, src_port, dst_port, proto",
		fmt.Sprintf("sfprobe_receiver: %v", o.Collector),
		fmt.Sprintf("sfprobe_agentip: %v", o.Collector.Addr()))
}

func startPmacct(
	t testing.TB, n lab.Namespace, o *Options, plugin string, lines ...string,
) {
	t.Helper()
	need(t, "pmacctd")
	file := folder(t, plugin)
	lines = append(lines,
		"daemonize: false",
		"pcap_interface: "+o.Interface,
		"plugins: "+plugin,
		// Room for all that a test sends: a packet that finds none is lost without a trace.
		"pmacctd_pipe_size: 67108864",
		// Its own queue between core and plugin loses packets, or counts some twice, while the
		// machine is busy.
		"plugin_pipe_zmq: true",
		"core_proc_name: "+plugin)
	if o.Sampling > 1 {
		lines = append(lines, fmt.Sprintf("sampling_rate: %d", o.Sampling))
	}
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(file("conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, n, nil, "pmacctd", "-f", file("conf"))
	p.until("watches", func() error {
		s := p.said.String()
		if !strings.Contains(s, "link type is") || !strings.Contains(s, "xporting flows to") {
			return errors.New("it does not say so")
		}
		return nil
	})
}
