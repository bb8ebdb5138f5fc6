package decode

// A UDP header (RFC 768); UDP-Lite's (RFC 3828) is as long.
const (
	offUDPLength = 4
	udpLen       = 8
)

// UDP ports that tunnels use.
const (
	portL2TP     = 1701
	portGTP      = 2152
	portGRE      = 4754
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portGeneve   = 6081
	portOTV      = 8472 // VXLAN, as Linux had it before there was a number
)

// tunnelPorts holds each of the ports above where its low bits say. The entry of port 0 must not
// be 0.
var tunnelPorts = [64]uint16{
	0:                 1,
	portL2TP % 64:     portL2TP,
	portGTP % 64:      portGTP,
	portGRE % 64:      portGRE,
	portVXLAN % 64:    portVXLAN,
	portVXLANGPE % 64: portVXLANGPE,
	portGeneve % 64:   portGeneve,
	portOTV % 64:      portOTV,
}

func tunnelPort(port uint16) bool { return tunnelPorts[port%64] == port }

// udpRare goes on behind the ports where the length is not that of the IP payload, or a port is
// one of a tunnel.
func (d *Decoder) udpRare(r *Record, b []byte, n, length uint, level uint8) Status {
	if length == 0 && n > 1<<16-1 {
		length = n // RFC 2675 section 4, and segmentation offload
	}
	switch {
	case length < udpLen:
		return BadLength
	case r.Fragment != NotFragment:
		return OK
	case length > n:
		return BadLength
	}
	b, n = clip(b, length)[udpLen:], length-udpLen
	if n == 0 {
		return OK
	}
	return d.udpTunnel(r, b, n, level)
}

// udpTunnel opens the tunnel whose port this is. A tunnel's packets go to its port; only those of
// L2TP also come from it to any other (RFC 2661 section 8.1).
func (d *Decoder) udpTunnel(r *Record, b []byte, n uint, level uint8) Status {
	switch r.DstPort {
	case portVXLAN, portOTV:
		return d.vxlan(r, b, n, level)
	case portVXLANGPE:
		return d.vxlanGPE(r, b, n, level)
	case portGeneve:
		return d.geneve(r, b, n, level)
	case portGTP:
		return d.gtp(r, b, n, level)
	case portGRE:
		return d.greUDP(r, b, n, level)
	}
	if r.DstPort == portL2TP || r.SrcPort == portL2TP {
		return d.l2tpUDP(r, b, n, level)
	}
	return OK
}

// cut is the status of a header of size bytes behind a port number that makes one expect it: what
// is too short to have it is something else.
func (r *Record) cut(n, size uint) Status {
	if n < size {
		return OK
	}
	return Truncated
}
