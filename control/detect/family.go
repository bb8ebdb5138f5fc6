package detect

// The protocol numbers (IANA) that classification tells apart.
const (
	protoICMP   = 1
	protoIPIP   = 4
	protoTCP    = 6
	protoUDP    = 17
	protoSIT    = 41 // IPv6 in IPv4
	protoGRE    = 47
	protoESP    = 50
	protoICMPv6 = 58
)

// The TCP flags (RFC 9293 section 3.1).
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
	tcpURG
)

// Names that are given outside the tables too.
const (
	udpFlood      = "udp_flood"
	tcpFlood      = "tcp_flood"
	synFlood      = "syn_flood"
	icmpFlood     = "icmp_flood"
	fragmentFlood = "fragment_flood"
	otherFlood    = "other_flood" // by class rates alone: neither TCP, UDP nor ICMP
	mixedFlood    = "mixed_flood" // no family dominates
)

// The closed set of attack types that FastNetMon's reports know.
const (
	fnmSYN      = "syn_flood"
	fnmICMP     = "icmp_flood"
	fnmFragment = "ip_fragmentation"
	fnmUDP      = "udp_flood"
	fnmUnknown  = "unknown"
)

// anyProto in a family means every protocol.
const anyProto = -1

// family is one kind of attack traffic that addresses and reflectors have no part in. A packet
// belongs to the first family whose fields it meets.
type family struct {
	name        string
	proto       int  // protocol number, or anyProto
	fragments   bool // only fragments, first or later
	mask, flags uint8
	fastNetMon  string // the type that FastNetMon reports it as
}

// families lists them, the narrower ones first. ICMP, and what carries packets of its own, keep
// their name in fragments too, since the protocol is in every fragment and says more.
//
// An ACK is an ack_flood with and without data, as the common bots send it with 512 bytes of it.
var families = [...]family{
	{icmpFlood, protoICMP, false, 0, 0, fnmICMP},
	{icmpFlood, protoICMPv6, false, 0, 0, fnmICMP},
	{"gre_flood", protoGRE, false, 0, 0, fnmUnknown},
	{"esp_flood", protoESP, false, 0, 0, fnmUnknown},
	{"ipip_flood", protoIPIP, false, 0, 0, fnmUnknown},
	{"ipip_flood", protoSIT, false, 0, 0, fnmUnknown},
	{fragmentFlood, anyProto, true, 0, 0, fnmFragment},

	{"tcp_null_flood", protoTCP, false, 0x3f, 0, fnmUnknown},
	{"tcp_xmas_flood", protoTCP, false, tcpFIN | tcpPSH | tcpURG, tcpFIN | tcpPSH | tcpURG,
		fnmUnknown},
	{synFlood, protoTCP, false, tcpFIN | tcpSYN | tcpRST | tcpACK, tcpSYN, fnmSYN},
	{"syn_ack_flood", protoTCP, false, tcpFIN | tcpSYN | tcpRST | tcpACK, tcpSYN | tcpACK, fnmSYN},
	{"rst_flood", protoTCP, false, tcpSYN | tcpRST, tcpRST, fnmUnknown},
	{"fin_flood", protoTCP, false, tcpFIN | tcpSYN, tcpFIN, fnmUnknown},
	{"ack_flood", protoTCP, false, tcpSYN | tcpACK, tcpACK, fnmUnknown},
	{tcpFlood, protoTCP, false, 0, 0, fnmUnknown},
	{udpFlood, protoUDP, false, 0, 0, fnmUDP},
}

// match reports whether p has the fields of f.
func (f *family) match(p *Packet) bool {
	return (f.proto == anyProto || f.proto == int(p.Proto)) &&
		(!f.fragments || p.Fragment != NotFragment) &&
		p.TCPFlags&f.mask == f.flags
}

// reflector is a UDP service that answers a small request, which anyone can send in another's
// name, with more.
type reflector struct {
	port uint16
	name string
	// request is the IP length that requests and everyday peer-to-peer packets of the service
	// do not exceed; ordinary where both sides commonly use the port for packets of any length.
	request uint32
}

// ordinary is a request length that no packet exceeds.
const ordinary = 1 << 16

// reflectors lists the services known to be abused, by port.
var reflectors = [...]reflector{
	{17, "qotd_amplification", 60},
	{19, "chargen_amplification", 60},
	{53, "dns_amplification", 110},
	{69, "tftp_amplification", 100},
	{111, "portmap_amplification", 84},
	{123, "ntp_amplification", 96}, // 48 bytes, and an authenticator (RFC 5905 section 7.3)
	{137, "netbios_amplification", 78},
	{161, "snmp_amplification", 100},
	{177, "xdmcp_amplification", 60},
	{389, "cldap_amplification", 100},
	{427, "slp_amplification", 100},
	{500, "ike_amplification", ordinary},
	{520, "rip_amplification", 60},
	{1194, "openvpn_amplification", ordinary},
	{1434, "mssql_amplification", 60},
	{1604, "citrix_amplification", 60},
	{1701, "l2tp_amplification", ordinary},
	{1900, "ssdp_amplification", 170},
	{3283, "ard_amplification", 60},
	{3389, "rdp_amplification", 1260},
	{3478, "stun_amplification", 100},
	{3702, "wsd_amplification", 1000},
	{4500, "ike_amplification", ordinary},
	{5060, "sip_amplification", ordinary},
	{5093, "sentinel_amplification", 60},
	{5353, "mdns_amplification", 100},
	{5683, "coap_amplification", 80},
	{10001, "ubiquiti_amplification", 60},
	{10074, "mitel_amplification", 60},
	{11211, "memcached_amplification", 100},
	{13327, "crossfire_amplification", 60},
	{17185, "vxworks_amplification", 100},
	{26000, "quake_amplification", 60},
	{27015, "steam_amplification", 60},
	{27960, "quake_amplification", 60},
	{30718, "lantronix_amplification", 60},
	{32410, "plex_amplification", 60},
	{32414, "plex_amplification", 60},
	{33848, "jenkins_amplification", 60},
	{37020, "hikvision_amplification", 200},
	{37810, "dvr_amplification", 60},
	{47808, "bacnet_amplification", 60},
}
