package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"
)

const (
	magic      = "weirjrnl"
	version    = 1
	headerSize = 40
	fixedSize  = 16 // of the header: the same in every version
	frameSize  = 8  // a record's length and checksum
)

// ErrNewer is about a file that a newer weir has written.
var ErrNewer = errors.New("written by a newer weir")

// What is wrong with a header or a record.
var (
	errShort   = errors.New("ends within a record")
	errLength  = errors.New("impossible length")
	errSum     = errors.New("wrong checksum")
	errContent = errors.New("impossible content")
	errHeader  = errors.New("bad header")
)

func checksum(parts ...[]byte) (sum uint32) {
	table := crc32.MakeTable(crc32.Castagnoli) // made once, by the library
	for _, p := range parts {
		sum = crc32.Update(sum, table, p)
	}
	return sum
}

type header struct {
	gen, seq uint64 // seq of the first record
	whole    uint32 // bytes that were on the disk before the file had its name
}

func (h header) appendTo(b []byte) []byte {
	at := len(b)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, checksum(b[at:]))
	b = binary.BigEndian.AppendUint64(b, h.gen)
	b = binary.BigEndian.AppendUint64(b, h.seq)
	b = binary.BigEndian.AppendUint32(b, h.whole)
	return binary.BigEndian.AppendUint32(b, checksum(b[at:]))
}

func parseHeader(data []byte) (h header, err error) {
	be := binary.BigEndian
	if len(data) < fixedSize || string(data[:8]) != magic ||
		be.Uint32(data[12:]) != checksum(data[:12]) {
		return h, errHeader
	}
	if v := be.Uint32(data[8:]); v > version {
		return h, fmt.Errorf("%w: version %d, this one reads %d", ErrNewer, v, version)
	} else if v < version || len(data) < headerSize ||
		be.Uint32(data[36:]) != checksum(data[:36]) {
		return h, errHeader
	}
	return header{be.Uint64(data[16:]), be.Uint64(data[24:]), be.Uint32(data[32:])}, nil
}

// op is what a record says about its route.
type op string

const (
	intent    op = "intent"
	announced op = "announced"
	renewed   op = "renewed"
	withdrawn op = "withdrawn"
)

type record struct {
	Seq uint64 `json:"seq"` // one more than the record before
	Gen uint64 `json:"gen"`
	Op  op     `json:"op"`
	stamp
	Lease       time.Duration `json:"lease_ns,omitempty"` // from the stamp, in both its clocks
	Prefix      netip.Prefix  `json:"prefix"`
	NextHop     netip.Addr    `json:"next_hop,omitzero"`
	Communities []string      `json:"communities,omitempty"`
	ID          string        `json:"id,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	Manual      bool          `json:"manual,omitempty"`
	Asked       int64         `json:"asked,omitempty"`
}

func (r *record) appendTo(b []byte) []byte {
	payload, err := json.Marshal(r)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	payload = append(payload, '\n')
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, checksum(b[at:], payload))
	return append(b, payload...)
}

// parseRecord returns the record at the beginning of data, and the bytes that it takes.
func parseRecord(data []byte) (r *record, n int, err error) {
	if len(data) < frameSize {
		return nil, 0, errShort
	}
	length := binary.BigEndian.Uint32(data)
	if length > MaxRecord-frameSize {
		return nil, 0, errLength
	}
	n = frameSize + int(length)
	if n > len(data) {
		return nil, 0, errShort
	}
	payload := data[frameSize:n]
	if length == 0 || checksum(data[:4], payload) != binary.BigEndian.Uint32(data[4:]) {
		return nil, 0, errSum
	}
	r = &record{}
	if json.Unmarshal(payload, r) != nil || !r.valid() {
		return nil, 0, errContent
	}
	return r, n, nil
}

// plausible tells without reading the payload whether a record may begin here.
func plausible(data []byte) bool {
	if len(data) < frameSize+2 {
		return false
	}
	n := frameSize + int64(binary.BigEndian.Uint32(data))
	return n <= min(MaxRecord, int64(len(data))) && n >= frameSize+2 &&
		bytes.HasPrefix(data[frameSize:], []byte("{")) && data[n-1] == '\n'
}

// valid holds what is read to what is written.
func (r *record) valid() bool {
	if r.Wall < 0 || r.Boot < 0 || r.Gen == 0 {
		return false
	}
	switch r.Op {
	case withdrawn:
		return r.Prefix.IsValid()
	case intent, announced, renewed:
		e := r.entry()
		return e.valid() == nil
	}
	return false
}

func (r *record) entry() entry {
	return entry{op: r.Op, from: r.stamp, Route: Route{
		Prefix: r.Prefix, NextHop: r.NextHop, Communities: r.Communities,
		ID: r.ID, Reason: r.Reason, Manual: r.Manual, Asked: r.Asked, Lease: r.Lease,
	}}
}
