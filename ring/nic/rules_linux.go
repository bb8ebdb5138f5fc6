package nic

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readRules asks for all steering rules, by place.
func (h *Handle) readRules(name string) ([]Rule, error) {
	places, _, err := h.places(name)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(places))
	for _, place := range places {
		r := rxnfc{command: unix.ETHTOOL_GRXCLSRULE}
		r.spec.location = place
		if err := h.ioctl(name, unsafe.Pointer(&r)); err != nil {
			return nil, fmt.Errorf("rule %d: %w", place, err)
		}
		rules = append(rules, r.spec.rule())
	}
	return rules, nil
}

// places returns the places of all rules in ascending order, and the size of the table with the
// driver's flags.
func (h *Handle) places(name string) ([]uint32, uint64, error) {
	count := rxnfc{command: unix.ETHTOOL_GRXCLSRLCNT}
	if err := h.ioctl(name, unsafe.Pointer(&count)); err != nil {
		return nil, 0, err
	}
	if count.count > rulesLimit {
		return nil, 0, fmt.Errorf("%d rules, of %d that are read", count.count, rulesLimit)
	}
	all := make([]uint32, count.count)
	if len(all) == 0 {
		return nil, count.data, nil
	}
	const places = int(unsafe.Offsetof(rxnfc{}.count)) + 4 // where rule_locs begin
	b := make([]byte, max(places+4*len(all), int(unsafe.Sizeof(count))))
	binary.NativeEndian.PutUint32(b, unix.ETHTOOL_GRXCLSRLALL)
	binary.NativeEndian.PutUint32(b[places-4:], count.count)
	if err := h.ioctl(name, unsafe.Pointer(&b[0])); err != nil {
		return nil, 0, err
	}
	all = all[:min(len(all), int(binary.NativeEndian.Uint32(b[places-4:])))]
	for i := range all {
		all[i] = binary.NativeEndian.Uint32(b[places+4*i:])
	}
	slices.Sort(all)
	return all, count.data, nil
}

// portAt is where the destination port of UDP is in what matches.
func (f FlowType) portAt() int {
	if f == UDP4 {
		return 4 + 4 + 2
	}
	return 16 + 16 + 2
}

// rule understands what matches a UDP destination port and nothing else.
func (s *spec) rule() Rule {
	r := Rule{Location: int(s.location), Other: true}
	for _, f := range []FlowType{UDP4, UDP6} {
		if want := portSpec(f, 0, 0); s.flow == f.number() && s.mask == want.mask {
			r.Flow, r.Port = f, binary.BigEndian.Uint16(s.value[f.portAt():])
			r.Queue, r.Other = int(uint32(s.cookie)), s.cookie>>32 != 0
		}
	}
	return r
}

func portSpec(f FlowType, port uint16, queue int) spec {
	s := spec{flow: f.number(), cookie: uint64(queue)}
	binary.BigEndian.PutUint16(s.value[f.portAt():], port)
	binary.BigEndian.PutUint16(s.mask[f.portAt():], 0xffff)
	return s
}

// insertRule adds a rule where the driver likes it, or, where the driver has no such liking, at the
// last free place: others come first.
func (h *Handle) insertRule(name string, f FlowType, port uint16, queue int) error {
	taken, size, err := h.places(name)
	if err != nil {
		return err
	}
	r := rxnfc{command: unix.ETHTOOL_SRXCLSRLINS, spec: portSpec(f, port, queue)}
	r.spec.location, err = freePlace(taken, size)
	if err != nil {
		return err
	}
	return h.ioctl(name, unsafe.Pointer(&r))
}

// freePlace chooses a place for a rule: taken are those that have one, size is the table's with
// the driver's flags.
func freePlace(taken []uint32, size uint64) (uint32, error) {
	if size&placeSpecial != 0 {
		return anyPlace, nil
	}
	for place := uint32(size); place > 0; place-- {
		if _, found := slices.BinarySearch(taken, place-1); !found {
			return place - 1, nil
		}
	}
	return 0, fmt.Errorf("no free place among %d for a rule", size)
}

func (h *Handle) deleteRule(name string, place int) error {
	r := rxnfc{command: unix.ETHTOOL_SRXCLSRLDEL}
	r.spec.location = uint32(place)
	return h.ioctl(name, unsafe.Pointer(&r))
}
