package decode

// Link is a link type as capture files number them (LINKTYPE_ values); live rings are Ethernet.
type Link uint16

// The link types that Decoder reads; any other gives UnknownLink.
const (
	LinkNull     Link = 0 // BSD loopback, address family in host order
	LinkEthernet Link = 1
	LinkRaw12    Link = 12 // raw IP under the numbers that some systems wrote
	LinkRaw14    Link = 14
	LinkRaw      Link = 101
	LinkLoop     Link = 108 // OpenBSD loopback, address family in network order
	LinkSLL      Link = 113 // Linux cooked v1
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkSLL2     Link = 276 // Linux cooked v2
)

// Links that sampled headers have and captures are not read with: numbers of ours, beyond those
// of capture files.
const (
	LinkPPP  Link = 0xff00 + iota // with or without HDLC-like framing (RFC 1662)
	LinkWLAN                      // IEEE 802.11 data frames
	LinkMPLS
)
