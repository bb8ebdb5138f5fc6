package lab

// MAC returns the hardware address of all interfaces.
func MAC() [6]byte { return [6]byte{0x02, 'w', 'e', 'i', 'r', 0x01} }

const ethernetLen = 14
