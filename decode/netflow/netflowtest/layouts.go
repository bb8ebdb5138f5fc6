package netflowtest

import "encoding/binary"

// Layouts is how many templates an exporter of workload F2c has: F2's fields, each time beginning
// with another one.
const Layouts = 10

// F2cTemplates appends the message that tells all templates of workload F2c, whose IDs go up from
// Template.
func F2cTemplates(b []byte, h Header) []byte {
	start := len(b)
	var body []byte
	for i := range Layouts {
		t := template(append(append([][2]uint16{}, fields[i:]...), fields[:i]...))
		binary.BigEndian.PutUint16(t, Template+uint16(i))
		body = append(body, t...)
	}
	return Close(Set(IPFIX(b, h), 2, body...), start)
}

// F2c appends a message of workload F2c, with records as template i of Layouts has them.
func F2c(b []byte, h Header, i int, flows []Flow) []byte {
	start := len(b)
	turn := 0 // bytes of a record that come last
	for _, f := range fields[:i] {
		turn += int(f[1])
	}
	b = data(IPFIX(b, h), flows, func(b []byte, f *Flow) []byte {
		var plain [64]byte
		r := record(plain[:0], f)
		return append(append(b, r[turn:]...), r[:turn]...)
	})
	binary.BigEndian.PutUint16(b[start+ipfixHeader:], Template+uint16(i))
	return Close(b, start)
}

// ipfixHeader is the length of an IPFIX message's header (RFC 7011 section 3.1).
const ipfixHeader = 16
