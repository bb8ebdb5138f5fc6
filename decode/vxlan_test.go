package decode

import (
	"fmt"
	"testing"
)

// over is an Ethernet frame of a UDP datagram to port.
func over(port uint16, payload ...[]byte) []byte {
	return eth(0x0800, ip4(protoUDP, udp(50000, port, payload...)))
}

// overShown is what show writes of such a frame with that many bytes of payload.
func overShown(port, payload int) string {
	return fmt.Sprintf(" 192.0.2.1:50000 > 198.51.100.7:%d proto 17 len %d", port, 28+payload)
}

// vni is a VXLAN header with those flags and that next protocol.
func vni(flags, next byte) []byte { return []byte{flags, 0, 0, next, 0, 0, 100, 0} }

func TestVXLAN_Success(t *testing.T) {
	f := expect(t, Decoder{})
	frame := eth(0x0800, inner())
	f(over(portVXLAN, vni(8, 0), frame), 0, "ok vxlan "+innerShown)
	f(over(portOTV, vni(8, 0), eth(0x8100, tag(5, 0x86dd, inner6()))), 0,
		"ok vlan[5] vxlan "+inner6Shown)
	f(over(portVXLAN, vni(0, 0), frame), 0, "ok vxlan "+innerShown)
	f(eth(0x86dd, ip6(protoUDP, udp(9, portVXLAN, vni(8, 0), frame))), 0, "ok vxlan "+innerShown)
	f(pad(over(portVXLAN, vni(8, 0), frame), 200), 0, "ok vxlan "+innerShown)
	f(over(portVXLANGPE, vni(0x0c, 1), inner()), 0, "ok vxlan "+innerShown)
	f(over(portVXLANGPE, vni(0x0c, 2), inner6()), 0, "ok vxlan "+inner6Shown)
	f(over(portVXLANGPE, vni(0x0c, 3), frame), 0, "ok vxlan "+innerShown)
	f(over(portVXLANGPE, vni(0x0c, 5), stack(1, inner())), 0, "ok mpls[16] vxlan "+innerShown)
	f(over(portVXLANGPE, vni(8, 0), frame), 0, "ok vxlan "+innerShown)

	// VXLAN in VXLAN in GRE.
	twice := ip4(protoUDP, udp(9, portVXLAN, vni(8, 0), eth(0x0800, ip4(protoUDP,
		udp(9, portVXLAN, vni(8, 0), frame)))))
	f(gre4(0, 0x0800, twice), 0, "ok gre vxlan vxlan "+innerShown)
}

func TestVXLAN_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := over(portVXLAN, vni(8, 0), eth(0x0800, inner()))
	f(frame, 45, "truncated"+overShown(4789, 56))
	f(frame, 60, "truncated"+overShown(4789, 56))
	f(frame, 80, "truncated"+overShown(4789, 56))
	f(frame, 90, "truncated vxlan "+innerShown)
	f(over(portVXLAN), 0, "ok"+overShown(4789, 0))
	f(over(portVXLAN, fill(7)), 0, "ok"+overShown(4789, 7))
	f(over(portVXLAN, fill(40)), 0, "ok"+overShown(4789, 40))
	f(over(portVXLAN, vni(8, 0), fill(3)), 0, "ok"+overShown(4789, 11))
	f(over(portVXLAN, vni(8, 0), eth(0x0806, fill(28))), 0, "ok"+overShown(4789, 50))
	f(over(portVXLAN, vni(8, 0), eth(0x0800, fill(40))), 0, "ok"+overShown(4789, 62))
	f(over(portVXLANGPE, vni(0x0c, 9), inner()), 0, "ok"+overShown(4790, 42))
	expect(t, Decoder{Closed: closed(VXLAN)})(frame, 0, "ok"+overShown(4789, 56))

	// A first fragment stays closed: the second would count for the outer addresses.
	f(put(frame, 20, 0x20), 0, "ok"+overShown(4789, 56)+" first")

	// From the port it is something else.
	f(eth(0x0800, ip4(protoUDP, udp(portVXLAN, 9, vni(8, 0), eth(0x0800, inner())))), 0,
		"ok 192.0.2.1:4789 > 198.51.100.7:9 proto 17 len 84")
}

// geneve is a Geneve header with n × 4 bytes of options.
func geneve(n byte, protocol uint16, rest ...[]byte) []byte {
	return cat([]byte{n, 0}, u16(protocol), u32(100<<8), fill(4*int(n)), cat(rest...))
}

func TestGeneve(t *testing.T) {
	f := expect(t, Decoder{})
	frame := over(portGeneve, geneve(2, 0x6558, eth(0x0800, inner())))
	f(frame, 0, "ok geneve "+innerShown)
	f(over(portGeneve, geneve(0, 0x0800, inner())), 0, "ok geneve "+innerShown)
	f(over(portGeneve, geneve(63, 0x86dd, inner6())), 0, "ok geneve "+inner6Shown)

	f(frame, 49, "truncated"+overShown(6081, 64))
	f(frame, 57, "truncated"+overShown(6081, 64))
	f(frame, 70, "truncated"+overShown(6081, 64))
	f(put(frame, 42, 0x42), 0, "ok"+overShown(6081, 64)) // version 1
	f(put(frame, 44, 0x12, 0x34), 0, "ok"+overShown(6081, 64))
	f(put(frame, 42, 60), 0, "ok"+overShown(6081, 64))
	f(over(portGeneve, fill(5)), 0, "ok"+overShown(6081, 5))
	f(over(portGeneve, geneve(0, 0x0806, fill(28))), 0, "ok"+overShown(6081, 36))
	expect(t, Decoder{Closed: closed(Geneve)})(frame, 0, "ok"+overShown(6081, 64))
}

// gtpu is a GTP-U header before its optional fields.
func gtpu(flags, kind byte, rest ...[]byte) []byte {
	body := cat(rest...)
	return cat([]byte{flags, kind}, u16(uint16(len(body))), u32(0x1234), body)
}

func TestGTP_Success(t *testing.T) {
	f := expect(t, Decoder{})
	f(over(portGTP, gtpu(0x30, 255, inner())), 0, "ok gtp "+innerShown)
	f(over(portGTP, gtpu(0x32, 255, fill(4), inner6())), 0, "ok gtp "+inner6Shown)
	f(over(portGTP, gtpu(0x34, 255, []byte{0, 0, 0, 0x85}, []byte{1, 0, 0, 0}, inner())), 0,
		"ok gtp "+innerShown)
	f(over(portGTP, gtpu(0x34, 255, []byte{0, 0, 0, 0x85}, []byte{2, 0, 0, 0, 0, 0, 0, 0xc0},
		[]byte{1, 0, 0, 0}, inner())), 0, "ok gtp "+innerShown)
	f(over(portGTP, gtpu(0x34, 255, fill(4), inner())), 0, "ok gtp "+innerShown)
}

func TestGTP_Failure(t *testing.T) {
	f := expect(t, Decoder{})
	frame := over(portGTP, gtpu(0x34, 255, []byte{0, 0, 0, 0x85}, []byte{1, 0, 0, 0}, inner()))
	f(frame, 45, "truncated"+overShown(2152, 50))
	f(frame, 53, "truncated"+overShown(2152, 50))
	f(frame, 54, "truncated"+overShown(2152, 50))
	f(frame, 57, "truncated"+overShown(2152, 50))
	f(frame, 70, "truncated"+overShown(2152, 50))
	f(put(frame, 54, 0), 0, "ok"+overShown(2152, 50))
	f(put(frame, 54, 50), 0, "ok"+overShown(2152, 50))
	f(put(frame, 44, 1), 0, "bad_length gtp "+innerShown)
	f(put(frame, 43, 1), 0, "ok"+overShown(2152, 50))    // echo request
	f(put(frame, 42, 0x48), 0, "ok"+overShown(2152, 50)) // version 2
	f(over(portGTP, gtpu(0x30, 255, fill(40))), 0, "ok"+overShown(2152, 48))
	f(over(portGTP, gtpu(0x30, 255)), 0, "ok"+overShown(2152, 8))
	f(over(portGTP, fill(6)), 0, "ok"+overShown(2152, 6))
	more := []byte{1, 0, 0, 1}
	four := cat(more, more, more, more)
	f(over(portGTP, gtpu(0x34, 255, more, four, four, inner())), 0,
		"too_deep"+overShown(2152, 78))
	expect(t, Decoder{Closed: closed(GTP)})(frame, 0, "ok"+overShown(2152, 50))
}
