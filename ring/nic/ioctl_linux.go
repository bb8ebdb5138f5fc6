package nic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What github.com/safchain/ethtool does not do is asked of the kernel here, as include/uapi/linux/
// ethtool.h describes it: the RSS key beside the table, hash fields, and steering rules.

const (
	rssNoChange = 0xffffffff // ETH_RXFH_INDIR_NO_CHANGE
	rssHeader   = 24         // bytes of struct ethtool_rxfh before rss_config
	rssLimit    = 1 << 16    // entries, bytes of a key: more is no answer

	anyPlace     = 0xffffffff // RX_CLS_LOC_ANY
	placeSpecial = 0x80000000 // RX_CLS_LOC_SPECIAL
	rulesLimit   = 1 << 14
)

// request is struct ifreq with a pointer in it.
type request struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ioctl hands data, which begins with the number of an ethtool command, to the kernel and back.
func (h *Handle) ioctl(name string, data unsafe.Pointer) error {
	r := request{data: data}
	if len(name) >= len(r.name) {
		return ErrMissing
	}
	copy(r.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.socket), unix.SIOCETHTOOL,
		uintptr(unsafe.Pointer(&r))) // r and data live on: the call uses both
	return meaning(errno)
}

// meaning gives errors of ethtool's calls names that callers can ask for.
func meaning(err error) error {
	switch err {
	case nil, unix.Errno(0):
		return nil
	case unix.EOPNOTSUPP:
		return ErrUnsupported
	case unix.EPERM, unix.EACCES:
		return ErrRefused
	case unix.ENODEV:
		return ErrMissing
	}
	return err
}

// rss is struct ethtool_rxfh.
type rss struct {
	command, context, table, key uint32
	function                     uint8
	_                            [3]byte
	_                            uint32
}

// readRSS asks for the table and the key.
func (h *Handle) readRSS(name string) (RSS, error) {
	head := rss{command: unix.ETHTOOL_GRSSH}
	if err := h.ioctl(name, unsafe.Pointer(&head)); err != nil {
		return RSS{}, err
	}
	if head.table > rssLimit || head.key > rssLimit {
		return RSS{}, fmt.Errorf("a table of %d entries, a key of %d bytes", head.table, head.key)
	}
	if head.table == 0 && head.key == 0 {
		return RSS{}, ErrUnsupported
	}
	b := make([]byte, rssHeader+4*head.table+head.key)
	binary.NativeEndian.PutUint32(b, unix.ETHTOOL_GRSSH)
	binary.NativeEndian.PutUint32(b[8:], head.table)
	binary.NativeEndian.PutUint32(b[12:], head.key)
	if err := h.ioctl(name, unsafe.Pointer(&b[0])); err != nil {
		return RSS{}, err
	}
	r := RSS{Function: functionName(b[16]), Table: make([]int, head.table)}
	for i := range r.Table {
		r.Table[i] = int(binary.NativeEndian.Uint32(b[rssHeader+4*i:]))
	}
	r.Key = bytes.Clone(b[rssHeader+4*head.table:])
	return r, nil
}

// functionName names a bit of ETH_RSS_HASH_*.
func functionName(bit uint8) string {
	switch bit {
	case 1:
		return "toeplitz"
	case 2:
		return "xor"
	case 4:
		return "crc32"
	}
	return ""
}

// writeRSS sets the table (nil: as it is; empty: the driver's default) or the key (nil: as it is).
func (h *Handle) writeRSS(name string, table []int, key []byte) error {
	b := make([]byte, rssHeader+4*len(table)+len(key))
	binary.NativeEndian.PutUint32(b, unix.ETHTOOL_SRSSH)
	binary.NativeEndian.PutUint32(b[8:], rssNoChange)
	if table != nil {
		binary.NativeEndian.PutUint32(b[8:], uint32(len(table)))
	}
	binary.NativeEndian.PutUint32(b[12:], uint32(len(key)))
	for i, queue := range table {
		binary.NativeEndian.PutUint32(b[rssHeader+4*i:], uint32(queue))
	}
	copy(b[rssHeader+4*len(table):], key)
	return h.ioctl(name, unsafe.Pointer(&b[0]))
}

// rxnfc is struct ethtool_rxnfc.
type rxnfc struct {
	command, flow uint32
	data          uint64
	spec          spec
	count         uint32
}

// spec is struct ethtool_rx_flow_spec. What matches is 52 bytes, of which UDP's are addresses
// (4 bytes each, 16 for IPv6), source port, destination port; then 20 bytes of extensions.
type spec struct {
	flow     uint32
	value    [52]byte
	_        [20]byte
	mask     [52]byte
	_        [20]byte
	cookie   uint64
	location uint32
}

// number returns the kernel's number of a flow type.
func (f FlowType) number() uint32 {
	switch f {
	case TCP4:
		return 1
	case UDP4:
		return 2
	case TCP6:
		return 5
	case UDP6:
		return 6
	}
	return 0
}

// hashBits are RXH_*, by ethtool's letters.
const hashBits = " mvtsdfnr"

func fieldsOf(bits uint64) (f Fields) {
	for bit, letter := range hashBits {
		if bit > 0 && bits&(1<<bit) != 0 {
			f += Fields(letter)
		}
	}
	return f
}

func (f Fields) bits() (bits uint64, err error) {
	for _, letter := range string(f) {
		bit := bytes.IndexRune([]byte(hashBits), letter)
		if bit <= 0 {
			return 0, fmt.Errorf("hash fields %q: %c is none of%s", string(f), letter, hashBits)
		}
		bits |= 1 << bit
	}
	return bits, nil
}

// readHash asks what is hashed of a flow type.
func (h *Handle) readHash(name string, f FlowType) (Fields, error) {
	r := rxnfc{command: unix.ETHTOOL_GRXFH, flow: f.number()}
	err := h.ioctl(name, unsafe.Pointer(&r))
	return fieldsOf(r.data), err
}

func (h *Handle) writeHash(name string, f FlowType, fields Fields) error {
	bits, err := fields.bits()
	if err != nil {
		return err
	}
	r := rxnfc{command: unix.ETHTOOL_SRXFH, flow: f.number(), data: bits}
	return h.ioctl(name, unsafe.Pointer(&r))
}
