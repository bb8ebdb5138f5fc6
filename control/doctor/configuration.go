package doctor

import (
	"fmt"
	"net/netip"
	"strconv"
)

// configuration looks at what the file plans, beside mirrors.
func (e *examination) configuration() {
	p := &e.Plan
	c := e.add(Check{
		ID: "config.file", Title: "configuration", Wanted: "no errors, no warnings",
		Why: "weir run refuses a file with errors",
	})
	switch {
	case p.Path == "":
		c.skip("there is none: ports, receive buffers, peers and planned cores were not looked at")
		return
	case p.Err != "":
		c.fail(p.Err, "weir config check -c "+p.Path)
		return
	case p.Errors > 0:
		c.fail(p.findings(p.Errors, "error"), "weir config check -c "+p.Path)
		return
	default:
		c.when(p.Warnings > 0, p.findings(p.Warnings, "warning"), "weir config check -c "+p.Path)
	}
	for i := range p.Ports {
		e.port(&p.Ports[i])
	}
	for i := range p.Listens {
		e.listen(&p.Listens[i])
	}
	for i := range p.Peers {
		e.peer(&p.Peers[i])
	}
}

// findings returns how many n there are in the file, and the first of them.
func (p *Plan) findings(n int, what string) string {
	text := fmt.Sprintf("%s: %d %ss", p.Path, n, what)
	if n == 1 {
		text = fmt.Sprintf("%s: 1 %s", p.Path, what)
	}
	if p.First == "" {
		return text
	}
	if n > 1 {
		text += ", the first"
	}
	return text + ": " + p.First
}

// owned ends c by whose socket is at a port. A name says nothing: that of weir is the name of its
// file, and another program may have the same.
func (e *examination) owned(c *outcome, o Owner, command string) {
	switch {
	case o.Program == "":
		c.ok("free")
	case o.Ours:
		c.ok("weir's")
	case o.Program == "?":
		c.warn("in use; by whom only root sees", command)
	case o.Program == weir:
		c.fail("in use by a weir that does not answer at "+e.Plan.Socket, command)
	default:
		c.fail("in use by "+o.Program, command)
	}
}

// port looks at a port for flow exports.
func (e *examination) port(p *Port) {
	name := p.Listen.String()
	e.owned(e.add(Check{
		ID: "flows.port", Subject: name, Title: "port for flow exports", Wanted: "free, or weir's",
		Why: "weir run takes it for itself alone",
	}), p.Owner, fmt.Sprintf("ss -lunp sport = :%d", p.Listen.Port()))
	e.buffer(p)
	var drops uint64
	found := false
	for _, s := range e.Host.UDP {
		if s.Local.Port() == p.Listen.Port() {
			drops, found = drops+s.Drops, true
		}
	}
	c := e.add(Check{
		ID: "flows.drops", Subject: name, Title: "datagrams dropped", Wanted: "none",
		Why: "a datagram that finds no room takes up to 30 flow records with it",
	})
	if !found {
		c.skip("no socket is there")
		return
	}
	c.when(drops > 0, fmt.Sprintf("%d since the socket is open", drops),
		"name more of capture.flows[].cores for it, or a larger receive_buffer")
}

// buffer looks at what receive buffer the kernel grants.
func (e *examination) buffer(p *Port) {
	c := e.add(Check{
		ID: "flows.buffer", Subject: p.Listen.String(), Title: "receive buffer",
		Wanted: bytesText(uint64(p.Buffer)),
		Why: "routers send in bursts, and a worker may have gaps; with CAP_NET_ADMIN, as in " +
			"weir.service, weir is not held to net.core.rmem_max",
	})
	limit, err := strconv.Atoi(e.Host.Sysctl["net.core.rmem_max"])
	if p.Granted == 0 && err != nil {
		c.skip("net.core.rmem_max is not told here")
		return
	}
	got := p.Granted
	found := bytesText(uint64(got)) + " granted"
	if got == 0 {
		got = limit
		found = bytesText(uint64(limit)) + " allowed"
	}
	value := strconv.Itoa(p.Buffer)
	c.when(got < p.Buffer, found, "sysctl -w net.core.rmem_max="+value,
		sysctl("net.core.rmem_max", value))
}

// listen looks at a place where the daemon listens.
func (e *examination) listen(l *Listen) {
	e.owned(e.add(Check{
		ID: "config.listen", Subject: l.At.String(), Title: l.Name,
		Wanted: "free, or weir's", Why: "weir run does not start without",
	}), l.Owner, fmt.Sprintf("ss -ltnp sport = :%d", l.At.Port()))
}

// peer looks whether a router can be reached.
func (e *examination) peer(p *Peer) {
	at := netip.AddrPortFrom(p.Address, 179)
	c := e.add(Check{
		ID: "bgp.peer", Subject: p.Address.String(), Title: "BGP peer",
		Wanted: "takes connections to port 179",
		Why:    "nothing can be announced to it otherwise",
	})
	switch {
	case p.Skipped != "":
		c.skip(p.Skipped)
	case p.Err == "":
		c.ok("takes connections, after " + milliseconds(p.Took))
	case e.Plan.Enforce:
		c.fail(p.Err, fmt.Sprintf("nc -vz -w 1 %s %d", at.Addr(), at.Port()))
	default:
		c.warn(p.Err, fmt.Sprintf("nc -vz -w 1 %s %d", at.Addr(), at.Port()))
	}
}
