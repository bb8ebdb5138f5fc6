package nic

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ethtoolChannels is struct ethtool_channels of linux/ethtool.h.
type ethtoolChannels struct {
	cmd                                    uint32
	maxRX, maxTX, maxOther, maxCombined    uint32
	rxCount, txCount, otherCount, combined uint32
}

const ethtoolGetChannels = 0x3c // ETHTOOL_GCHANNELS

// ifreqData is struct ifreq with ifr_data.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte // the union's other members are longer
}

// rxQueues returns how many receive queues the interface uses now.
func (h *Handle) rxQueues(name string) (int, error) {
	c := ethtoolChannels{cmd: ethtoolGetChannels}
	if err := h.ethtool(name, unsafe.Pointer(&c)); err != nil {
		return 0, fmt.Errorf("ask for the channels of %s: %w", name, err)
	}
	if n := int(c.rxCount + c.combined); n > 0 {
		return n, nil
	}
	return 0, fmt.Errorf("ask for the channels of %s: the driver names none", name)
}

// ethtool makes one SIOCETHTOOL request; data points to a struct that begins with its command.
func (h *Handle) ethtool(name string, data unsafe.Pointer) error {
	if len(name) >= unix.IFNAMSIZ {
		return fmt.Errorf("interface name %q is too long", name)
	}
	// Safe: the kernel reads and writes the struct behind data, whose size follows from its
	// command, and both are alive until the call returns.
	r := ifreqData{data: data}
	copy(r.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.ioctl), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&r)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}
