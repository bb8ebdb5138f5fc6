package sflow

import (
	"encoding/binary"

	"weir/decode"
)

// Interface is the generic counters of an interface (RFC 2233, the IF-MIB), which sFlow agents
// send unasked every few seconds. Counters count from the device's start and wrap; one that the
// device does not have has all bits set.
type Interface struct {
	Source    uint64 // type and index of the data source, 32 bits each
	Index     uint32 // SNMP ifIndex
	Type      uint32 // IANAifType
	Speed     uint64 // bits per second
	Direction Direction
	Status    uint32 // bit 0: up by configuration; bit 1: up in fact

	In, Out     Counters
	InUnknown   uint32 // packets of protocols that are not known
	Promiscuous uint32 // 1: yes

	Errors EthernetErrors
	CPU    Processor
}

// Direction is the duplex mode of an interface.
type Direction uint32

// The duplex modes.
const (
	UnknownDirection Direction = iota
	FullDuplex
	HalfDuplex
	InOnly
	OutOnly
)

// Counters is one direction of an interface.
type Counters struct {
	Octets    uint64
	Unicast   uint32 // packets
	Multicast uint32
	Broadcast uint32
	Discards  uint32
	Errors    uint32
}

// EthernetErrors is the Ethernet counters that tell of a bad link (RFC 2358); zero where there
// are none.
type EthernetErrors struct {
	Known                               bool
	Alignment, FCS                      uint32
	LateCollisions, ExcessiveCollisions uint32
	InternalTransmit, CarrierSense      uint32
	FramesTooLong, InternalReceive      uint32
	Symbol                              uint32
}

// Processor is the load of the device; zero where the sample has none.
type Processor struct {
	Known                   bool
	Load5s, Load1m, Load5m  uint32 // hundredths of a per cent
	TotalMemory, FreeMemory uint64 // bytes
}

// Counter records, and their lengths.
const (
	genericCounters   = 1
	ethernetCounters  = 2
	processorCounters = 1001

	genericLen   = 88
	ethernetLen  = 52
	processorLen = 28
)

// counters5 reads a counter sample of version 5: sequence number, source, records; head is how
// long that is.
func (d *Decoder) counters5(b []byte, head int) {
	if len(b) < head {
		d.fault(decode.BadSetLength)
		return
	}
	d.datagram.CounterSamples++
	source := compactSource(be32(b[4:]))
	if head == 16 {
		source = uint64(be32(b[4:]))<<32 | uint64(be32(b[8:]))
	}
	records := be32(b[head-4:])
	if records > MaxRecords {
		d.fault(decode.TooMany)
		records = MaxRecords
	}
	b = b[head:]
	c := d.place()
	known := false
	for range records {
		if len(b) < tagLen {
			d.fault(missing(b))
			break
		}
		format, size := be32(b), be32(b[4:])
		b = b[tagLen:]
		if uint64(size) > uint64(len(b)) {
			d.fault(decode.BadSetLength)
			break
		}
		known = d.counterRecord(c, format, b[:size]) || known
		b = b[padded(int(size), len(b)):]
	}
	if known {
		c.Source = source
		d.nInterfaces++
	}
}

// place returns the place of the next interface, emptied. There is room: no sample has more than
// one.
func (d *Decoder) place() *Interface {
	c := &d.interfaces[d.nInterfaces]
	*c = Interface{}
	return c
}

// counterRecord reads one record and reports whether it is of those that Interface has.
func (d *Decoder) counterRecord(c *Interface, format uint32, b []byte) bool {
	want := 0
	switch format {
	case genericCounters:
		want = genericLen
	case ethernetCounters:
		want = ethernetLen
	case processorCounters:
		want = processorLen
	default:
		if format>>enterpriseShift != 0 {
			d.datagram.Skipped[decode.Foreign]++
		}
		return false
	}
	if len(b) < want {
		d.fault(decode.BadField)
		return false
	}
	switch format {
	case genericCounters:
		c.generic(b)
	case ethernetCounters:
		c.ethernet(b)
	case processorCounters:
		c.CPU = Processor{
			Known: true, Load5s: be32(b), Load1m: be32(b[4:]), Load5m: be32(b[8:]),
			TotalMemory: be64(b[12:]), FreeMemory: be64(b[20:]),
		}
	}
	return true
}

// generic reads the 88 bytes of if_counters.
func (c *Interface) generic(b []byte) {
	_ = b[genericLen-1]
	c.Index, c.Type, c.Speed = be32(b), be32(b[4:]), be64(b[8:])
	c.Direction, c.Status = Direction(be32(b[16:])), be32(b[20:])
	c.In = Counters{
		Octets: be64(b[24:]), Unicast: be32(b[32:]), Multicast: be32(b[36:]),
		Broadcast: be32(b[40:]), Discards: be32(b[44:]), Errors: be32(b[48:]),
	}
	c.InUnknown = be32(b[52:])
	c.Out = Counters{
		Octets: be64(b[56:]), Unicast: be32(b[64:]), Multicast: be32(b[68:]),
		Broadcast: be32(b[72:]), Discards: be32(b[76:]), Errors: be32(b[80:]),
	}
	c.Promiscuous = be32(b[84:])
}

// ethernet reads the 13 counters of ethernet_counters.
func (c *Interface) ethernet(b []byte) {
	_ = b[ethernetLen-1]
	c.Errors = EthernetErrors{
		Known: true, Alignment: be32(b), FCS: be32(b[4:]),
		LateCollisions: be32(b[24:]), ExcessiveCollisions: be32(b[28:]),
		InternalTransmit: be32(b[32:]), CarrierSense: be32(b[36:]),
		FramesTooLong: be32(b[40:]), InternalReceive: be32(b[44:]), Symbol: be32(b[48:]),
	}
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// Counters of versions 2 and 4 by type: their length, and whether generic counters come first.
var countersLen4 = [...]int{
	1: genericLen,               // generic
	2: genericLen + ethernetLen, // Ethernet
	3: genericLen + 72,          // token ring
	4: genericLen,               // FDDI
	5: genericLen + 80,          // 100VG
	6: genericLen,               // WAN
	7: vlanCountersLen,          // VLAN
}

const (
	vlanCounters4   = 7
	vlanCountersLen = 28
	counterHead4    = 16 // sequence number, source, interval, type
)

// counters4 reads a counter sample of version 2 or 4.
func (d *Decoder) counters4() {
	b := d.rest
	if len(b) < counterHead4 {
		d.stop(decode.ShortDatagram)
		return
	}
	kind, source := be32(b[12:]), compactSource(be32(b[4:]))
	b = b[counterHead4:]
	if kind == 0 || kind >= uint32(len(countersLen4)) {
		d.stop(decode.BadField)
		return
	}
	size := countersLen4[kind]
	if len(b) < size {
		d.stop(decode.ShortDatagram)
		return
	}
	d.rest = b[size:]
	d.datagram.CounterSamples++
	if kind == vlanCounters4 {
		return
	}
	c := d.place()
	c.Source = source
	c.generic(b)
	if kind == ethernetCounters {
		c.ethernet(b[genericLen:])
	}
	d.nInterfaces++
}
