package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"

	"weir/control"
	"weir/control/api"
	"weir/control/config"
	"weir/fastpath"
	"weir/ring/replay"
	"weir/ring/udp"
)

// engineUDP is how the API names a socket of datagrams.
const engineUDP = "udp"

// flowPort is one port that exporters send to.
type flowPort struct {
	*config.Flows
	datagrams *udp.Listener
	stream    *udp.TCPSource // nil: IPFIX over TCP is not taken
	first     int            // the number of its first worker
}

// openFlowPorts opens every port that the file names, and appends an input for each of their
// sources. On an error nothing stays open.
func openFlowPorts(
	c *config.Config, clock func() int64, in []control.Input,
) (ports []*flowPort, all []control.Input, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeFlowPorts(ports))
			ports = nil
		}
	}()
	named := namedCores(c)
	for i := range c.Capture.Flows {
		f := &c.Capture.Flows[i]
		p := &flowPort{Flows: f, first: len(in)}
		ports = append(ports, p)
		rules, err := exportRules(f)
		if err != nil {
			return ports, in, fmt.Errorf("capture.flows[%d]: %w", i, err)
		}
		p.datagrams, err = udp.Open(udp.Config{
			Listen: f.Listen, Sockets: len(f.Cores), ReceiveBuffer: int(f.ReceiveBuffer),
			Spin: spin(f.Cores, named, runtime.NumCPU()), Clock: clock,
		})
		if err != nil {
			return ports, in, err
		}
		for n, s := range p.datagrams.Sources() {
			input := control.Input{
				Source: s, View: f.ViewName(), Wake: s.Wake, Core: -1, Exports: rules,
			}
			if n < len(f.Cores) {
				input.Core = f.Cores[n]
			}
			in = append(in, input)
		}
		if !f.TCP {
			continue
		}
		p.stream, err = udp.OpenTCP(udp.TCPConfig{
			Listen: f.Listen, Clock: clock, Allow: allowed(f.Exporters),
		})
		if err != nil {
			return ports, in, err
		}
		in = append(in, control.Input{
			Source: p.stream, View: f.ViewName(), Wake: p.stream.Wake, Core: -1, Exports: rules,
		})
	}
	return ports, in, nil
}

// ReplayExports returns an input for each port that the file names: of the export datagrams among
// the captures of source.
func ReplayExports(c *config.Config, source *replay.Source) ([]control.Input, error) {
	var in []control.Input
	for i := range c.Capture.Flows {
		f := &c.Capture.Flows[i]
		rules, err := exportRules(f)
		if err != nil {
			return nil, fmt.Errorf("capture.flows[%d]: %w", i, err)
		}
		at := strings.LastIndexByte(f.Listen, ':')
		port, err := strconv.ParseUint(f.Listen[at+1:], 10, 16)
		if err != nil {
			return nil, fmt.Errorf("capture.flows[%d]: %w", i, err)
		}
		in = append(in, control.Input{
			Source: source.Exports(uint16(port)), View: f.ViewName(), Core: -1, Exports: rules,
		})
	}
	return in, nil
}

// exportRules compiles what the file says of a port's exporters.
func exportRules(f *config.Flows) (*fastpath.ExportRules, error) {
	rates := make([]fastpath.ExporterRate, len(f.Overrides))
	for i, o := range f.Overrides {
		rates[i] = fastpath.ExporterRate{Prefix: o.Exporter, Rate: o.SamplingRate}
	}
	return fastpath.NewExportRules(f.Exporters, rates, f.SamplingRate)
}

// allowed returns who may connect; nil: everybody.
func allowed(exporters []netip.Prefix) func(netip.Addr) bool {
	if len(exporters) == 0 {
		return nil
	}
	return func(a netip.Addr) bool {
		for _, p := range exporters {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
}

func closeFlowPorts(ports []*flowPort) error {
	var errs []error
	for _, p := range ports {
		if p.datagrams != nil {
			errs = append(errs, p.datagrams.Close())
		}
		if p.stream != nil {
			errs = append(errs, p.stream.Close())
		}
	}
	return errors.Join(errs...)
}

// sources returns what the port has got and lost, a source for each socket.
func (p *flowPort) sources() (state, reason string, all []api.Source) {
	for n, s := range p.datagrams.Sources() {
		st := s.Stats()
		all = append(all, api.Source{
			Engine: engineUDP, Interface: p.Listen, Queue: n, Worker: p.first + n, State: "up",
			Mode: "socket", Received: st.Received, Bytes: st.Bytes, Dropped: st.Dropped,
		})
	}
	if p.stream != nil {
		st := p.stream.Stats()
		all = append(all, api.Source{
			Engine: "tcp", Interface: p.Listen, Queue: 0, Worker: p.first + len(all), State: "up",
			Mode: "stream", Received: st.Received, Bytes: st.Bytes, Dropped: st.Dropped,
		})
	}
	return "up", "", all
}
