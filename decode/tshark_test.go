package decode_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"weir/decode"
)

// row is what tshark printed of one frame: a value or a comma-joined list per column, of all
// headers outer → inner.
type row struct {
	columns map[string]int
	values  []string
}

// readOracle reads a table of tshark's: a header line, then a line per frame.
func readOracle(path string) ([]row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	var rows []row
	columns := map[string]int{}
	for lines.Scan() {
		values := strings.Split(lines.Text(), "\t")
		if len(columns) == 0 {
			for i, name := range values {
				columns[name] = i
			}
			continue
		}
		rows = append(rows, row{columns, values})
	}
	return rows, lines.Err()
}

func (r row) text(column string) string { return r.values[r.columns[column]] }

func (r row) list(column string) []string {
	if v := r.text(column); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// at returns value i of a column, and false if it has fewer.
func (r row) at(column string, i int) (string, bool) {
	l := r.list(column)
	if i < 0 || i >= len(l) {
		return "", false
	}
	return l[i], true
}

// num returns value i of a column as a number, and -1 if there is none.
func (r row) num(column string, i int) int {
	v, ok := r.at(column, i)
	if !ok {
		return -1
	}
	switch v {
	case "True":
		return 1
	case "False":
		return 0
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		return -1
	}
	return int(n)
}

// header is the innermost IP header that tshark read, and the protocols behind it.
type header struct {
	v6       bool
	index    int // among the headers of its version
	fragment decode.Fragment
	before   []string // protocols
	behind   []string
}

// innermost finds the innermost IP header of a frame. Those behind an ICMP header are quoted;
// those behind the header of a fragment are of a packet that tshark reassembled from several
// frames.
func (r row) innermost() (h header, ok bool) {
	protocols := strings.Split(r.text("frame.protocols"), ":")
	seen := map[string]int{}
	for i, p := range protocols {
		if p == "icmp" || p == "icmpv6" {
			break
		}
		index := seen[p]
		seen[p]++
		if p != "ip" && p != "ipv6" {
			continue
		}
		next := header{
			v6: p == "ipv6", index: index, before: protocols[:i], behind: protocols[i+1:],
		}
		if _, readable := r.at(p+".dst", index); !readable {
			if p == "ip" && i+1 < len(protocols) && protocols[i+1] == "ipv6" {
				seen[p]-- // it looked at the version and handed the packet on
				protocols[i] = ""
				continue
			}
			break
		}
		next.fragment = r.fragment(next, seen["ipv6.fraghdr"])
		h, ok = next, true
		if h.fragment != decode.NotFragment {
			break
		}
	}
	return h, ok
}

// fragment tells what the header says, given the number of IPv6 fragment headers before it.
func (r row) fragment(h header, before int) decode.Fragment {
	if !h.v6 {
		switch {
		case r.num("ip.frag_offset", h.index) > 0:
			return decode.LaterFragment
		case r.num("ip.flags.mf", h.index) > 0:
			return decode.FirstFragment
		}
		return decode.NotFragment
	}
	f := decode.NotFragment
	for i, p := range h.behind {
		if p == "ip" || p == "ipv6" || p == "icmpv6" {
			break
		}
		if p != "ipv6.fraghdr" {
			continue
		}
		n := before + count(h.behind[:i], p)
		switch {
		case r.num("ipv6.fraghdr.offset", n) > 0:
			return decode.LaterFragment
		case r.num("ipv6.fraghdr.more", n) > 0:
			f = decode.FirstFragment
		}
	}
	return f
}

func count(list []string, want string) int {
	n := 0
	for _, p := range list {
		if p == want {
			n++
		}
	}
	return n
}

// protoOf are the protocol numbers of names in frame.protocols.
var protoOf = map[string]int{
	"icmp": 1, "igmp": 2, "ip": 4, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47,
	"esp": 50, "icmpv6": 58, "eigrp": 88, "ospf": 89, "pim": 103, "ipcomp": 108, "vrrp": 112,
	"sctp": 132,
}

// passes reports whether a protocol is a header that Record.Proto comes behind.
func passes(p string) bool { return p == "ah" || p == "mipv6" || strings.HasPrefix(p, "ipv6.") }

// proto returns the number of the protocol behind all extension headers, -1 if tshark does not
// say.
func (r row) proto(h header) int {
	number := r.num("ip.proto", h.index)
	if h.v6 {
		number = r.num("ipv6.nxt", h.index)
	}
	for i, p := range h.behind {
		switch {
		case passes(p):
		case i == 0:
			return number
		default:
			if n, ok := protoOf[p]; ok {
				return n
			}
			return -1
		}
	}
	if len(h.behind) > 0 {
		return -1
	}
	return number
}

// differences names what the record has otherwise than tshark, and is empty if nothing.
func (r row) differences(rec *decode.Record, status decode.Status) string {
	var out []string
	differ := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			out = append(out, fmt.Sprintf("%s %v, tshark %v", what, got, want))
		}
	}
	differ("wire", rec.Wire, r.text("frame.len"))
	h, ok := r.innermost()
	if !ok {
		if rec.Version != 0 && status == decode.OK {
			differ("addresses", rec.Src.Netip(), "none")
		}
		return strings.Join(out, "; ")
	}
	kind := "ip"
	if h.v6 {
		kind = "ipv6"
	}
	src, _ := r.at(kind+".src", h.index)
	dst, _ := r.at(kind+".dst", h.index)
	if rec.Version == 0 {
		return fmt.Sprintf("no addresses, tshark %s → %s", src, dst)
	}
	differ("src", rec.Src.Netip(), netip.MustParseAddr(src))
	differ("dst", rec.Dst.Netip(), netip.MustParseAddr(dst))
	differ("fragment", rec.Fragment, h.fragment)
	if want := r.proto(h); want >= 0 {
		differ("ipproto", rec.Proto, want)
	}
	if h.v6 {
		if want := r.num("ipv6.plen", h.index); want > 0 {
			differ("ip_len", rec.IPLen, want+40)
		}
	} else {
		differ("ip_len", rec.IPLen, r.num("ip.len", h.index))
		differ("ttl", rec.TTL, r.num("ip.ttl", h.index))
	}
	r.transport(rec, h, differ)
	r.tags(rec, h, differ)
	return strings.Join(out, "; ")
}

// transport compares ports, TCP flags and ICMP types, where tshark has them.
func (r row) transport(rec *decode.Record, h header, differ func(string, any, any)) {
	if h.fragment == decode.LaterFragment {
		differ("ports", [2]uint16{rec.SrcPort, rec.DstPort}, [2]uint16{})
		return
	}
	i := slices.IndexFunc(h.behind, func(p string) bool { return !passes(p) })
	if i < 0 {
		return
	}
	p := h.behind[i]
	index := count(h.before, p) + count(h.behind[:i], p)
	switch p {
	case "tcp", "udp":
		if want := r.num(p+".srcport", index); want >= 0 {
			differ("sport", rec.SrcPort, want)
		}
		if want := r.num(p+".dstport", index); want >= 0 {
			differ("dport", rec.DstPort, want)
		}
		if want := r.num("tcp.flags", index); p == "tcp" && want >= 0 {
			differ("tcp_flags", rec.TCPFlags, want&0xff)
		}
	case "icmp", "icmpv6":
		if want := r.num(p+".type", 0); want >= 0 {
			differ("type", rec.DstPort>>8, want)
		}
		if want := r.num("icmp.code", 0); p == "icmp" && want >= 0 {
			differ("code", rec.DstPort&0xff, want)
		}
	}
}

// tags compares the VLAN IDs, the labels of a stack and the tunnels before the header.
func (r row) tags(rec *decode.Record, h header, differ func(string, any, any)) {
	ids := r.list("vlan.id")
	if n := count(h.before, "vlan") + count(h.before, "ieee8021ad"); n <= len(ids) {
		differ("vlan", rec.VLAN[:rec.NVLAN], ids[:n])
	}
	if count(h.before, "mpls") == 1 {
		differ("mpls", rec.MPLS[:rec.NMPLS], r.list("mpls.label"))
	}
	differ("tunnel", rec.Tunnels[:rec.NTunnels], tunnels(h.before))
}

// tunnels names what lies between the protocols before an IP header and that header, as we do.
func tunnels(before []string) []string {
	list := []string{}
	last := ""
	for _, p := range append(slices.Clone(before), "ip") {
		switch p {
		case "vxlan", "geneve", "gtp", "gre":
			list = append(list, p)
		case "erspan":
			list[len(list)-1] = p // in place of the GRE around it
		case "pppoes":
			list = append(list, "pppoe")
		case "pwethheuristic":
			list = append(list, "mpls_pw")
		case "ip", "ipv6":
			if last == "ip" || last == "ipv6" {
				list = append(list, "ipip")
			}
		}
		if p != "" && !passes(p) {
			last = p
		}
	}
	return list
}
