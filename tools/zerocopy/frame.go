package zerocopy

import (
	"encoding/binary"

	"weir/decode"
	"weir/tools/blast"
)

// Hosts is the number of addresses that frames go to, in turn: 10.0.0.0, 10.0.0.1, …
const Hosts = 1000

// Home is the network that Hosts are in.
const Home = "10.0.0.0/16"

// Lengths of frames in bytes.
const (
	MinFrame = 60
	MaxFrame = blast.MaxFrame
)

// numberAt is where a frame's number stands.
const numberAt = blast.EthernetLen + blast.IPv4Len + blast.UDPLen

// MAC returns the hardware address of a card.
func MAC(card int) [6]byte { return [6]byte{0x02, 'w', 'e', 'i', 'r', byte(card + 1)} }

// PutFrame writes frame number n to a card and returns its length, MinFrame to MaxFrame. All of
// its bytes follow from n and card.
func PutFrame(b *[MaxFrame]byte, card int, n uint32) int {
	size := MinFrame + int(n*37%(MaxFrame-MinFrame+1))
	frame := b[:size]
	ethernet := blast.Ethernet{Dst: MAC(card), Src: MAC(0xfe), Type: blast.TypeIPv4}
	at := ethernet.Put(frame)
	mapped := func(ip uint32) decode.Addr { return decode.Addr{Lo: 0xffff<<32 | uint64(ip)} }
	ip := blast.IPv4{
		TTL: 64, Proto: blast.ProtoUDP, Src: mapped(198<<24 | 18<<16 | n&0x1ffff),
		Dst: mapped(10<<24 | n%Hosts),
	}
	at += ip.Put(frame[at:])
	udp := blast.UDP{SrcPort: uint16(1024 + n%50_000), DstPort: 4444}
	at += udp.Put(frame[at:])
	binary.BigEndian.PutUint32(frame[at:], n)
	for i := at + 4; i < size; i++ {
		frame[i] = byte(n>>8) ^ byte(n) ^ byte(i)
	}
	return size
}

// Number returns the number that a frame claims; ok says that it has one.
func Number(frame []byte) (n uint32, ok bool) {
	if len(frame) < MinFrame {
		return 0, false
	}
	return binary.BigEndian.Uint32(frame[numberAt:]), true
}
