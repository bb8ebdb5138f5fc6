package filter

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"weir/decode"
)

// parser reads the value of a key into a rule.
type parser func(r *rule, value json.RawMessage) error

// fields returns the parser of each key that says what matches.
func fields() map[string]parser {
	return map[string]parser{
		"source_prefix": func(r *rule, v json.RawMessage) error {
			return r.source.parse(v)
		},
		"destination_prefix": func(r *rule, v json.RawMessage) error {
			return r.destination.parse(v)
		},
		"source_ports":      numbers(sourcePort, 0, math.MaxUint16),
		"destination_ports": numbers(destinationPort, 0, math.MaxUint16),
		"packet_lengths":    numbers(packetLength, 0, math.MaxUint16),
		"vlans":             numbers(vlan, 0, 4094),
		"source_asns":       numbers(sourceAS, 1, math.MaxUint32),
		"destination_asns":  numbers(destinationAS, 1, math.MaxUint32),
		"input_interfaces":  numbers(inputInterface, 1, math.MaxUint32),
		"output_interfaces": numbers(outputInterface, 1, math.MaxUint32),
		"ttls":              numbers(ttl, 1, math.MaxUint8),
		"protocols":         parseProtocols,
		"ipv4_nexthops":     addresses(func(r *rule) *[]decode.Addr { return &r.nextHops }),
		"agent_addresses":   addresses(func(r *rule) *[]decode.Addr { return &r.agents }),
		"fragmentation_flags": func(r *rule, v json.RawMessage) error {
			return words(v, r.addFragmentation)
		},
		"tcp_flags": func(r *rule, v json.RawMessage) error {
			return words(v, r.addTCPFlags)
		},
	}
}

// list reads a JSON array, which must have between one and MaxValues values.
func list(value json.RawMessage) ([]json.RawMessage, error) {
	var values []json.RawMessage
	if err := json.Unmarshal(value, &values); err != nil || values == nil {
		return nil, errors.New("not a list")
	}
	if len(values) == 0 {
		return nil, errors.New("an empty list")
	}
	if len(values) > MaxValues {
		return nil, fmt.Errorf("more than %d values", MaxValues)
	}
	return values, nil
}

// words reads a list of strings and hands each to add.
func words(value json.RawMessage, add func(string) error) error {
	values, err := list(value)
	if err != nil {
		return err
	}
	for _, v := range values {
		var text string
		if err := json.Unmarshal(v, &text); err != nil || isNull(v) {
			return fmt.Errorf("%s is not a string", v)
		}
		if err := add(text); err != nil {
			return err
		}
	}
	return nil
}

// numbers returns the parser of a field of numbers and ranges between low and high.
func numbers(f field, low, high uint64) parser {
	return func(r *rule, value json.RawMessage) error {
		values, err := list(value)
		if err != nil {
			return err
		}
		var set []span
		for _, v := range values {
			s, err := parseSpan(v, low, high)
			if err != nil {
				return err
			}
			set = append(set, s)
		}
		r.has |= 1 << f
		r.sets[f] = merge(set)
		return nil
	}
}

// parseSpan reads 80, "80" or "80-90".
func parseSpan(value json.RawMessage, low, high uint64) (span, error) {
	text := string(value)
	if unquoted := ""; json.Unmarshal(value, &unquoted) == nil && !isNull(value) {
		text = unquoted
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(first), 10, 32)
	b, errB := strconv.ParseUint(strings.TrimSpace(last), 10, 32)
	switch {
	case errA != nil || errB != nil || a < low || b > high:
		note := ""
		if low > 0 {
			note = "; 0 is what nobody told"
		}
		return span{}, fmt.Errorf("%s is not a number or range from %d to %d%s", value, low, high,
			note)
	case a > b:
		return span{}, fmt.Errorf("%s ends before it begins", value)
	}
	return span{uint32(a), uint32(b)}, nil
}

// merge returns the same set sorted, with spans that do not touch.
func merge(set []span) []span {
	slices.SortFunc(set, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := set[:1]
	for _, s := range set[1:] {
		if end := &out[len(out)-1]; uint64(s.first) <= uint64(end.last)+1 {
			end.last = max(end.last, s.last)
		} else {
			out = append(out, s)
		}
	}
	return slices.Clip(out)
}

// addresses returns the parser of a field of addresses.
func addresses(of func(*rule) *[]decode.Addr) parser {
	return func(r *rule, value json.RawMessage) error {
		set := of(r)
		err := words(value, func(text string) error {
			a, err := netip.ParseAddr(text)
			if err != nil || a.Zone() != "" || a == netip.IPv6Unspecified() { // :: is not told
				return fmt.Errorf("%q is no IP address", text)
			}
			*set = append(*set, decode.AddrFrom(a))
			return nil
		})
		slices.SortFunc(*set, func(a, b decode.Addr) int {
			return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo))
		})
		*set = slices.Compact(*set)
		return err
	}
}

// parseProtocols reads names and numbers.
func parseProtocols(r *rule, value json.RawMessage) error {
	values, err := list(value)
	if err != nil {
		return err
	}
	names := protocols()
	for _, v := range values {
		name := ""
		if json.Unmarshal(v, &name) == nil && !isNull(v) {
			if number, ok := names[strings.ToLower(name)]; ok {
				r.addProtocol(number)
				continue
			}
		}
		s, err := parseSpan(v, 0, math.MaxUint8)
		if err != nil {
			return fmt.Errorf("%s is no name of a protocol that is known, nor 0 to 255", v)
		}
		for n := s.first; n <= s.last; n++ {
			r.addProtocol(uint8(n))
		}
	}
	return nil
}

// protocols returns IANA's names of protocols, and other common ones.
func protocols() map[string]uint8 {
	return map[string]uint8{
		"hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipip": 4, "ipencap": 4, "ipv4": 4, "st": 5,
		"tcp": 6, "cbt": 7, "egp": 8, "igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22,
		"rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "ipv6": 41, "ipv6-route": 43,
		"ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57,
		"icmpv6": 58, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
		"eigrp": 88, "ospf": 89, "ospfigp": 89, "ax.25": 93, "etherip": 97, "encap": 98,
		"pim": 103, "ipcomp": 108, "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133,
		"mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139,
		"shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143,
	}
}

// addFragmentation adds one of FlowSpec's names.
func (r *rule) addFragmentation(name string) error {
	bit, ok := map[string]uint8{
		"dont-fragment": dontFragment, "is-fragment": isFragment, "first-fragment": firstFragment,
		"last-fragment": lastFragment, "not-a-fragment": notFragment,
	}[name]
	if !ok {
		return fmt.Errorf("%q is none of dont-fragment, is-fragment, first-fragment, "+
			"last-fragment and not-a-fragment", name)
	}
	r.fragmentation |= bit
	return nil
}

// addTCPFlags adds a set of flags, as in "syn|ack".
func (r *rule) addTCPFlags(text string) error {
	set := 0
	for _, name := range strings.Split(text, "|") {
		bit, ok := map[string]int{
			"fin": 1, "syn": 2, "rst": 4, "push": 8, "psh": 8, "ack": 16, "urgent": 32, "urg": 32,
		}[strings.TrimSpace(name)]
		if !ok {
			return fmt.Errorf("%q is none of syn, ack, fin, rst, urgent and push", name)
		}
		set |= bit
	}
	r.tcpFlags |= 1 << set
	return nil
}

// parse reads a prefix.
func (p *prefix) parse(value json.RawMessage) error {
	var text string
	if err := json.Unmarshal(value, &text); err != nil || isNull(value) {
		return errors.New("not a string")
	}
	given, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("%q is no prefix", text)
	}
	if given.Addr().Is4In6() {
		return fmt.Errorf("%q: write it as IPv4", text)
	}
	if given != given.Masked() {
		return fmt.Errorf("%q has bits behind its length: %s is the prefix", text, given.Masked())
	}
	p.given = true
	p.addr, p.bits, p.version = decode.AddrFrom(given.Addr()), uint8(given.Bits()), 6
	if given.Addr().Is4() {
		p.bits, p.version = p.bits+96, 4
	}
	p.hi, p.lo = masks(p.bits)
	return nil
}

// masks returns the two halves of a mask of that many bits.
func masks(bits uint8) (hi, lo uint64) {
	return ^(^uint64(0) >> min(bits, 64)), ^(^uint64(0) >> (max(bits, 64) - 64))
}
