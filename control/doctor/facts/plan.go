package facts

import (
	"net"
	"net/netip"

	"weir/control/config"
	"weir/control/doctor"
	"weir/ring/udp"
)

// fill takes what is planned from a configuration.
func fill(p *doctor.Plan, c *config.Config) {
	p.Socket = c.API.Socket
	p.Enforce = c.Mode == config.Enforce
	for i := range c.Capture.AFXDP {
		x := &c.Capture.AFXDP[i]
		p.Mirrors = append(p.Mirrors, mirror(&x.Mirror, true, string(x.ZeroCopy)))
	}
	for i := range c.Capture.AFPacket {
		p.Mirrors = append(p.Mirrors, mirror(&c.Capture.AFPacket[i].Mirror, false, ""))
	}
	for i := range c.Capture.Flows {
		fl := &c.Capture.Flows[i]
		port := doctor.Port{
			Listen: listen(fl.Listen), TCP: fl.TCP, Cores: fl.Cores, Buffer: int(fl.ReceiveBuffer),
		}
		if got, err := udp.Grant(port.Buffer); err == nil {
			port.Granted = got
		}
		p.Ports = append(p.Ports, port)
	}
	p.Listens = append(p.Listens, doctor.Listen{
		Name: "metrics.listen", At: listen(c.Metrics.Listen),
	})
	passive := false
	for i := range c.BGP.Peers {
		peer := &c.BGP.Peers[i]
		passive = passive || peer.Passive
		p.Peers = append(p.Peers, doctor.Peer{Address: peer.Address, Skipped: unasked(peer)})
	}
	if passive {
		p.Listens = append(p.Listens, doctor.Listen{
			Name: "passive BGP peers", At: netip.AddrPortFrom(netip.IPv6Unspecified(), bgpPort),
		})
	}
}

func mirror(m *config.Mirror, afxdp bool, zeroCopy string) doctor.Mirror {
	return doctor.Mirror{
		Interface: m.Interface, AFXDP: afxdp, ZeroCopy: zeroCopy, Queues: m.Queues, Cores: m.Cores,
		Force: m.Force,
	}
}

// listen reads ADDRESS:PORT as the configuration has checked it.
func listen(text string) netip.AddrPort {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	at, _ := netip.ParseAddrPort("[::]:" + port)
	return at
}

// unasked says why a peer is not connected to; "": it is.
func unasked(p *config.Peer) string {
	switch {
	case p.Passive:
		return "it is passive: the peer connects to weir"
	case p.PasswordFile != "":
		return "it has a password: it does not answer who does not know it"
	}
	return ""
}
