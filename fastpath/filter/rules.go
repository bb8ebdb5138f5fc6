package filter

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"weir/decode"
)

// Limits of what ParseRules reads.
const (
	MaxRules  = 1024
	MaxValues = 1024    // in one field
	maxLine   = 1 << 16 // bytes
)

// Rules say which traffic is not counted. The nil Rules match nothing.
//
// Concurrency: Rules never change; any goroutine may use them.
type Rules struct {
	rules []rule
	index index
	sum   [sha256.Size]byte
}

// ParseRules reads rules, one JSON object per line; blank lines, and lines that begin with #, are
// left out. name is that of the file, for errors: Mistakes, one for each line that has any, of the
// form "NAME:LINE: KEY: REASON". On an error nothing is loaded.
//
// The keys are FastNetMon's, for IPv4 and IPv6 alike. A record matches a rule when every field
// matches, and a field when one of its values does:
//
//	source_prefix, destination_prefix   a prefix
//	source_ports, destination_ports     0 to 65535; of TCP, UDP, SCTP, DCCP and UDP-Lite
//	packet_lengths                      IP length, bytes; of a flow record the mean, rounded down
//	vlans                               0 to 4094, any of the tags; 0 is no tag, too
//	source_asns, destination_asns       as the exporter tells them
//	input_interfaces, output_interfaces SNMP index, as above
//	ttls                                1 to 255, of the TTL or hop limit
//	protocols                           names or numbers
//	ipv4_nexthops                       addresses, IPv6 too
//	agent_addresses                     addresses of the exporter
//	fragmentation_flags                 dont-fragment, is-fragment, first-fragment,
//	                                    last-fragment, not-a-fragment
//	tcp_flags                           all of syn, ack, fin, rst, urgent, push that are set,
//	                                    as in "syn|ack"
//	action_type, action                 are checked, and mean nothing here
//
// Numbers may be ranges, as in "1000-2000". A value that an exporter does not tell is 0 in a
// record, so that a rule cannot ask for AS, interface or TTL 0.
//
// Most rules are found by one of their fields, at a cost that hardly grows with their number. A
// rule that has no prefix, no protocol and no list of up to 16 numbers or addresses is looked at
// for every record.
func ParseRules(r io.Reader, name string) (*Rules, error) {
	rules, parsers := new(Rules), fields()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(r, sum))
	lines.Buffer(nil, maxLine)
	line := 0
	var wrong Mistakes
	mistake := func(line int, reason error) {
		wrong = append(wrong, &Mistake{File: name, Line: line, Reason: reason})
	}
	for lines.Scan() {
		line++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if len(rules.rules) == MaxRules {
			mistake(line, fmt.Errorf("more than %d rules", MaxRules))
			break
		}
		if len(wrong) == maxMistakes {
			mistake(line, errors.New("too many errors: what follows was not looked at"))
			break
		}
		one, err := parseRule(text, parsers)
		if err != nil {
			mistake(line, err)
			continue
		}
		one.line = line
		rules.rules = append(rules.rules, one)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		mistake(line+1, fmt.Errorf("a line of more than %d bytes", maxLine))
	} else if err != nil {
		mistake(line+1, err)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	rules.index = newIndex(rules.rules)
	sum.Sum(rules.sum[:0])
	return rules, nil
}

// Len returns the number of rules.
func (rs *Rules) Len() int {
	if rs == nil {
		return 0
	}
	return len(rs.rules)
}

// Same reports whether two sets of rules, either of which may be nil, come from the same text.
func (rs *Rules) Same(other *Rules) bool {
	if rs == nil || other == nil {
		return rs == other
	}
	return rs.sum == other.sum
}

// Line returns the line that a rule stands on, from 1.
func (rs *Rules) Line(rule int) int { return rs.rules[rule].line }

// Match returns the first rule that matches a record, as an index from 0, or -1. exporter is who
// sent the flow record, by its own address; the zero Addr where r is a packet.
func (rs *Rules) Match(r *decode.Record, exporter decode.Addr) (rule int) {
	if rs == nil || len(rs.rules) == 0 || r.Version == 0 {
		return -1
	}
	found := len(rs.rules)
	for i := range rs.index.probes {
		p := &rs.index.probes[i]
		key, ok := p.key(r, exporter)
		if !ok {
			continue
		}
		for _, n := range rs.index.find(key) {
			if int(n) >= found {
				break
			}
			if rs.rules[n].matches(r, exporter) {
				found = int(n)
				break
			}
		}
	}
	if found == len(rs.rules) {
		return -1
	}
	return found
}

// parseRule reads one JSON object.
func parseRule(text []byte, parsers map[string]parser) (rule, error) {
	var r rule
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return r, errors.New("not a JSON object")
	}
	seen := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return r, fmt.Errorf("not JSON: %w", err)
		}
		key := t.(string) // of an object
		if _, ok := seen[key]; ok {
			return r, fmt.Errorf("%s: a second time", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return r, fmt.Errorf("%s: not JSON: %w", key, err)
		}
		seen[key] = value
		if key == keyAction || key == keyActionType {
			continue
		}
		parse, ok := parsers[key]
		if !ok {
			return r, fmt.Errorf("%s: no such key", key)
		}
		if err := parse(&r, value); err != nil {
			return r, fmt.Errorf("%s: %w", key, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return r, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("more than one JSON value")
	}
	if err := checkAction(seen[keyActionType], seen[keyAction]); err != nil {
		return r, err
	}
	return r, r.check()
}

// The keys of what FastNetMon would do with traffic that matches a rule.
const (
	keyActionType = "action_type"
	keyAction     = "action"
)

// checkAction checks what has no meaning here as FastNetMon does where it has one.
func checkAction(kind, action json.RawMessage) error {
	if kind == nil {
		if action != nil {
			return errors.New(keyAction + ": without " + keyActionType)
		}
		return nil
	}
	var name string
	if err := json.Unmarshal(kind, &name); err != nil || isNull(kind) {
		return errors.New(keyActionType + ": not a string")
	}
	parameters, ok := map[string]map[string]int64{
		"accept": {}, "discard": {}, "rate-limit": {"rate": math.MaxInt32}, "mark": {"dscp": 63},
		"redirect": {"redirect_target_as": math.MaxUint16, "redirect_target_value": math.MaxUint32},
	}[name]
	if !ok {
		return fmt.Errorf("%s: %q is none of accept, discard, rate-limit, redirect and mark",
			keyActionType, name)
	}
	if action == nil {
		if name == "redirect" {
			return errors.New(keyAction + ": missing")
		}
		return nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(action, &given); err != nil || given == nil {
		return errors.New(keyAction + ": not an object")
	}
	for key, value := range given {
		limit, ok := parameters[key]
		if !ok {
			return fmt.Errorf("%s.%s: no such key with %s", keyAction, key, name)
		}
		var n int64
		if err := json.Unmarshal(value, &n); err != nil || isNull(value) || n < 0 || n > limit {
			return fmt.Errorf("%s.%s: not a number from 0 to %d", keyAction, key, limit)
		}
	}
	for key := range parameters {
		if _, ok := given[key]; !ok && name != "mark" {
			return fmt.Errorf("%s.%s: missing", keyAction, key)
		}
	}
	return nil
}

func isNull(value json.RawMessage) bool { return bytes.Equal(value, []byte("null")) }
