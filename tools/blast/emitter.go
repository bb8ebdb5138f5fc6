package blast

import (
	"cmp"
	"fmt"
	"time"

	"weir/decode"
)

// emitter makes the packets of one Flow, one after the other.
type emitter struct {
	flow  Flow // with its preset
	order int  // in the scenario, breaks ties
	seed  uint64
	random
	src, dst picker
	sizes    uint32 // the weight of all sizes
	v6       bool

	sent, count int64
	next        time.Duration // of the packet that comes next, after the scenario's start

	datagram
}

// datagram is the IP datagram of which a frame is the whole, or a fragment.
type datagram struct {
	from, to         decode.Addr
	srcPort, dstPort uint16
	flags            uint8
	id               uint32
	length           int // of the IP payload
	done             int // bytes of it that were sent
}

// newEmitter is ready for its first packet.
func newEmitter(f Flow, seed uint64, order int) (*emitter, error) {
	e := &emitter{
		flow: f, order: order, seed: seed, random: newRandom(seed, uint64(order)+1),
	}
	if err := e.prepare(); err != nil {
		return nil, fmt.Errorf("flow %d %q: %w", order, cmp.Or(f.Name, f.Vector), err)
	}
	e.schedule()
	return e, nil
}

// prepare makes the flow complete, or says what is wrong with it.
func (e *emitter) prepare() (err error) {
	f := &e.flow
	if err = f.preset(); err != nil {
		return err
	}
	if err = f.check(); err != nil {
		return err
	}
	if e.v6, err = f.v6(); err != nil {
		return err
	}
	if e.dst, err = f.Dst.picker(e.v6, &e.random); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if e.src, err = f.Src.picker(e.v6, &e.random); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	e.setDefaults()
	e.sizes = f.Size.total()
	e.count = f.Count()
	return nil
}

func (e *emitter) setDefaults() {
	f := &e.flow
	if f.Proto == 0 {
		f.Proto = ProtoUDP
	}
	if f.Proto == ProtoICMP && e.v6 {
		f.Proto = ProtoICMPv6
	}
	if f.TTL == 0 {
		f.TTL = ttl
	}
	if f.DstPort != (Ports{}) {
		return
	}
	switch f.Proto {
	case ProtoICMP:
		f.DstPort = Port(EchoRequest << 8)
	case ProtoICMPv6:
		f.DstPort = Port(EchoRequestV6 << 8)
	}
}

// schedule sets the time of the next packet; false when there is none.
func (e *emitter) schedule() bool {
	if e.sent == e.count {
		return false
	}
	e.next = e.flow.From + e.flow.at(e.sent)
	if e.flow.Jitter {
		end := min(e.flow.From+e.flow.at(e.sent+1), e.flow.To)
		e.next += time.Duration(e.below(uint32(end - e.next)))
	}
	e.sent++
	return true
}

// draw begins a new datagram.
func (e *emitter) draw() {
	f := &e.flow
	d := &e.datagram
	d.to = e.dst.pick(&e.random)
	if f.Conversations > 0 {
		c := conversation(e.seed, d.to, e.below(uint32(f.Conversations)))
		e.drawPeer(&c)
	} else {
		e.drawPeer(&e.random)
	}
	d.flags = f.Flags
	if f.Replies > 0 && e.below(100) < uint32(f.Replies) {
		d.reply(f.Proto)
	}
	d.id = e.u32()
	d.done = 0
	d.length = max(f.Size.pick(&e.random, e.sizes)-e.ipLen(), e.headerLen())
}

func (e *emitter) drawPeer(r *random) {
	e.from = e.src.pick(r)
	e.srcPort, e.dstPort = e.flow.SrcPort.pick(r), e.flow.DstPort.pick(r)
}

// reply turns d around: an echo request becomes a reply, and SYN and SYN-ACK each other.
func (d *datagram) reply(proto uint8) {
	const echoReply, echoReplyV6 = 0, 129
	d.from, d.to = d.to, d.from
	switch {
	case proto == ProtoICMP && d.dstPort == EchoRequest<<8:
		d.dstPort = echoReply << 8
	case proto == ProtoICMPv6 && d.dstPort == EchoRequestV6<<8:
		d.dstPort = echoReplyV6 << 8
	case proto == ProtoTCP || proto == ProtoUDP:
		d.srcPort, d.dstPort = d.dstPort, d.srcPort
	}
	if d.flags&SYN != 0 {
		d.flags ^= ACK
	}
}

func (e *emitter) ipLen() int {
	if e.v6 {
		return IPv6Len
	}
	return IPv4Len
}

// headerLen is that of the transport header.
func (e *emitter) headerLen() int {
	switch e.flow.Proto {
	case ProtoTCP:
		return TCPLen
	case ProtoUDP:
		return UDPLen
	case ProtoICMP, ProtoICMPv6:
		return ICMPLen
	}
	return 0
}

// frame writes the next frame to b, which has room for MaxFrame bytes, and returns its length.
func (e *emitter) frame(b []byte) int {
	d := &e.datagram
	if d.done == d.length {
		e.draw()
	}
	offset, part := d.done, d.length-d.done
	cut := e.ipLen()+d.length > MTU
	if cut {
		part = min(part, e.fragmentLen())
	}
	d.done += part
	n := e.network(b, offset, part, cut)
	message := b[n : n+part]
	if offset == 0 {
		e.message(message)
	} else {
		clear(message)
	}
	n += part
	if n < MinFrame {
		clear(b[n:MinFrame])
	}
	return max(n, MinFrame)
}

// fragmentLen is the payload of a full fragment.
func (e *emitter) fragmentLen() int {
	if e.v6 {
		return (MTU - IPv6Len - IPv6FragmentLen) &^ 7
	}
	return (MTU - IPv4Len) &^ 7
}

// network writes the headers in front of the part of the datagram's payload at offset.
func (e *emitter) network(b []byte, offset, part int, cut bool) int {
	d, f := &e.datagram, &e.flow
	more := d.done < d.length
	if !e.v6 {
		n := ethernet(b, TypeIPv4)
		ip := IPv4{
			ID: uint16(d.id), Offset: uint16(offset), More: more, Dont: !cut,
			TTL: f.TTL, Proto: f.Proto, Src: d.from, Dst: d.to,
		}
		return n + ip.Put(b[n:n+IPv4Len+part])
	}
	n := ethernet(b, TypeIPv6)
	ip := IPv6{Next: f.Proto, HopLimit: f.TTL, Src: d.from, Dst: d.to}
	if !cut {
		return n + ip.Put(b[n:n+IPv6Len+part])
	}
	ip.Next = ProtoFragment
	n += ip.Put(b[n : n+IPv6Len+IPv6FragmentLen+part])
	fragment := IPv6Fragment{Next: f.Proto, Offset: uint16(offset), More: more, ID: d.id}
	return n + fragment.Put(b[n:])
}

// message fills b with the transport header and the payload, or as much of them as a first
// fragment holds.
func (e *emitter) message(b []byte) {
	d, f := &e.datagram, &e.flow
	n := 0
	switch f.Proto {
	case ProtoTCP:
		tcp := TCP{
			SrcPort: d.srcPort, DstPort: d.dstPort, Seq: e.u32(), Flags: d.flags, Window: window,
		}
		if d.flags&ACK != 0 {
			tcp.Ack = e.u32()
		}
		n = tcp.Put(b)
	case ProtoUDP:
		udp := UDP{SrcPort: d.srcPort, DstPort: d.dstPort, Length: uint16(d.length)}
		n = udp.Put(b)
	case ProtoICMP, ProtoICMPv6:
		icmp := ICMP{
			Type: uint8(d.dstPort >> 8), Code: uint8(d.dstPort),
			ID: uint16(d.id >> 16), Seq: uint16(d.id),
		}
		n = icmp.Put(b)
	}
	n += copy(b[n:], f.Payload)
	clear(b[n:])
	SetChecksum(b, f.Proto, d.from, d.to, d.length)
}
