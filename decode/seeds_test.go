package decode

// seed is a frame that a test decodes in every way it knows.
type seed struct {
	link  Link
	frame []byte
}

// seeds returns frames with every header, good and malformed.
func seeds() []seed {
	var list []seed
	add := func(link Link, frames ...[]byte) {
		for _, f := range frames {
			list = append(list, seed{link, f})
		}
	}
	in, in6 := inner(), inner6()
	mac := eth(0x0800, in)
	add(LinkEthernet,
		nil, fill(60), mac, pad(mac, 60), eth(0x86dd, in6), eth(0x0806, fill(46)),
		eth(0x8100, tag(100, 0x88a8, tag(7, 0x0800, in))), dot3(snap(0, 0x0800, in)),
		eth(0x8100, tags(9, tag(9, 0x0800, in))),
		eth(0x8847, stack(2, in)), eth(0x8847, stack(9, in6)),
		eth(0x8847, stack(1, cat(u32(0), mac))), eth(0x8847, stack(1, mac)),
		eth(0x8847, stack(1, put(mac, 0, 0x45))), eth(0x8847, stack(1, put(mac, 0, 0x60))),
		eth(0x8864, pppoe(u16(pppIPv4), in)), eth(0x8864, pppoe([]byte{0x57}, in6)),
		eth(0x0800, options4(protoUDP, udp(53, 4444))), eth(0x0800, put(in, 0, 0x44)),
		eth(0x0800, put(in, 2, 0xff, 0xff)), eth(0x0800, put(in, 2, 0, 0)),
		eth(0x0800, fragment4(0x2000, protoUDP, udp(53, 4444))),
		eth(0x0800, fragment4(0x0001, protoUDP, udp(53, 4444))),
		eth(0x0800, ip4(protoAH, ah(protoIPv6, in6))), eth(0x0800, nest(5, in)),
		eth(0x86dd, ip6(protoDestOptions, extend(8))),
		eth(0x86dd, ip6(protoDestOptions, extend(9))),
		eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 1, udp(53, 4444)))),
		eth(0x86dd, ip6(protoFragment, fragment6(protoUDP, 8, udp(53, 4444)))),
		eth(0x86dd, put(ip6(protoHopByHop, []byte{6, 0, 0xc2, 4}, u32(28), tcp(1, 2, 3)), 4, 0, 0)),
		eth(0x0800, ip4(protoTCP, put(tcp(1, 2, 3), 12, 0x40))),
		eth(0x0800, ip4(protoSCTP, u16(1, 2))),
		eth(0x0800, ip4(protoICMP, []byte{3, 1, 0, 0}, fill(4), in)),
		eth(0x0800, ip4(protoUDP, put(udp(53, 4444), 4, 0, 7))),
		gre4(0xb000, 0x0800, fill(12), in), gre4(0x3081, 0x880b, fill(12), u16(pppIPv4), in),
		gre4(0x4000, 0x0800, fill(4), u16(0x0800), []byte{0, 4}, fill(4), fill(4), in),
		gre4(0x2001, 0x6400, fill(4), mac), gre4(0x1000, 0x88be, fill(12), mac),
		gre4(0x1000, 0x22eb, u32(1), fill(11), []byte{1}, fill(8), mac),
		gre4(0, 0x8200, []byte{0x88, 1}, fill(24), snap(0, 0x0800, in)),
		gre4(0, 0x8240, []byte{0x88, 2}, fill(22), []byte{0x80, 0}, fill(12), u16(42),
			snap(0, 0x0800, in)),
		over(portVXLAN, vni(8, 0), mac), over(portVXLAN, vni(0, 0), mac),
		over(portVXLANGPE, vni(12, 2), in6),
		over(portGeneve, geneve(3, 0x6558, mac)), over(portGRE, u16(0, 0x0800), in),
		over(portGTP, gtpu(0x34, 255, []byte{0, 0, 0, 0x85}, []byte{1, 0, 0, 0}, in)),
		over(portL2TP, u16(0x0202, 7, 8, 0), u16(pppIPv4), in),
		over(portL2TP, u16(3, 0), u32(9, 0), mac),
		eth(0x0800, ip4(protoL2TP, u32(77, 0), u16(pppIPv6), in6)),
		over(portVXLAN, vni(8, 0), over(portGeneve, geneve(0, 0x0800, nest(2, in)))),
	)
	add(LinkRaw, in, in6)
	add(LinkIPv4, in)
	add(LinkIPv6, in6)
	add(LinkNull, cat([]byte{2, 0, 0, 0}, in))
	add(LinkLoop, cat(u32(30), in6))
	add(LinkSLL, cat(fill(14), u16(0x8100), tag(5, 0x0800, in)),
		cat(fill(14), u16(4), snap(0, 0x0800, in)))
	add(LinkSLL2, cat(u16(0x86dd), fill(18), in6))
	add(LinkPPP, cat(u16(pppFraming, pppIPv4), in), cat([]byte{pppIPv6}, in6))
	add(LinkWLAN, cat([]byte{wlanData}, fill(23), snap(0, 0x0800, in)))
	add(LinkMPLS, stack(2, in))
	add(Link(105), in)
	return list
}
