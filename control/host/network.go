package host

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const netDir = "sys/class/net/"

// devices returns the hardware behind network interfaces; virtual ones have none.
func (t tree) devices() map[string]Device {
	out := map[string]Device{}
	for _, name := range t.names(netDir) {
		dir := netDir + name + "/device"
		if len(t.names(dir)) == 0 {
			continue
		}
		d := Device{Node: -1, Driver: t.link(dir + "/driver")}
		// virtio's device hangs on the PCI device that has both
		for _, at := range []string{dir, dir + "/.."} {
			if node := t.number(at+"/numa_node", -1); d.Node < 0 {
				d.Node = node
			}
			if len(d.IRQs) == 0 {
				d.IRQs = t.numbered(at+"/msi_irqs", "")
			}
		}
		out[name] = d
	}
	return out
}

// defaultRoutes returns the interfaces that carry a default route that is up.
func (t tree) defaultRoutes() (out []string) {
	const up = 1 // RTF_UP
	isUp := func(flags string) bool {
		n, err := strconv.ParseUint(flags, 16, 32)
		return err == nil && n&up != 0
	}
	for _, line := range t.lines("proc/net/route") { // Iface Destination Gateway Flags … Mask
		f := strings.Fields(line)
		if len(f) >= 8 && f[1] == "00000000" && f[7] == "00000000" && isUp(f[3]) {
			out = append(out, f[0])
		}
	}
	zero := strings.Repeat("0", 32)
	for _, line := range t.lines("proc/net/ipv6_route") { // destination, length, … flags, device
		f := strings.Fields(line)
		if len(f) >= 10 && f[0] == zero && f[1] == "00" && isUp(f[8]) && f[9] != "lo" {
			out = append(out, f[9])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sockets returns those of a protocol, of both families, that are in a state; "": in any.
func (t tree) sockets(protocol, state string) (out []Socket) {
	for _, family := range []string{"", "6"} {
		for _, line := range t.lines("proc/net/" + protocol + family) {
			// sl local remote st tx:rx tr:tm retransmits uid timeout inode ref pointer drops
			f := strings.Fields(line)
			if len(f) < 10 || state != "" && f[3] != state {
				continue
			}
			local, ok := parseEndpoint(f[1])
			if !ok {
				continue // the heading
			}
			s := Socket{Local: local}
			_, waiting, _ := strings.Cut(f[4], ":")
			s.Queue, _ = strconv.ParseUint(waiting, 16, 64)
			s.Inode, _ = strconv.ParseUint(f[9], 10, 64)
			if protocol == "udp" {
				s.Drops, _ = strconv.ParseUint(f[len(f)-1], 10, 64)
			}
			out = append(out, s)
		}
	}
	return out
}

// parseEndpoint reads an address of /proc/net: words of 32 bits in the machine's order, and a port.
func parseEndpoint(text string) (netip.AddrPort, bool) {
	host, portText, _ := strings.Cut(text, ":")
	port, err := strconv.ParseUint(portText, 16, 16)
	words, err2 := hex.DecodeString(host)
	if err != nil || err2 != nil || len(words)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(words); i += 4 { // written as a number, most significant digit first
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	addr, ok := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(addr, uint16(port)), ok
}
