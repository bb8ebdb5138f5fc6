package top

import (
	"math"
	"strconv"
)

// unit is what rates are written in.
type unit int

const (
	unitAuto unit = iota // the one that leaves one to three digits before the point
	unitKilo
	unitMega
	unitGiga
	numUnits
)

// measure is what a rate counts.
type measure int

const (
	packets measure = iota
	bits            // or bytes, if the user wants that
)

// fixed writes v in u, always with the same decimals: then digits stand under digits.
func (u unit) fixed(v uint64, what measure) string {
	decimals := [numUnits][2]int{unitKilo: {1, 0}, unitMega: {3, 1}, unitGiga: {3, 3}}[u][what]
	x := float64(v) / math.Pow10(3*int(u))
	return strconv.FormatFloat(x, 'f', decimals, 64) + "kMG"[u-1:u]
}

// room is what a column of rates needs: in fixed units that of 100 million packets, 100 Gbit.
func (u unit) room(what measure) int {
	if u == unitAuto {
		return 5
	}
	return [...]int{packets: 8, bits: 9}[what]
}

// converted turns a rate of bits into one of bytes if the user wants that.
func (m *Model) converted(v uint64, what measure) uint64 {
	if what == bits && m.bytes {
		return v / 8
	}
	return v
}

// rate writes a rate in the chosen unit.
func (m *Model) rate(v uint64, what measure) string {
	v = m.converted(v, what)
	if m.unit == unitAuto {
		return short(v, 3)
	}
	return m.unit.fixed(v, what)
}

func (m *Model) packetRate(v uint64) string { return withUnit(m.rate(v, packets), "pps") }

func (m *Model) bitRate(v uint64) string {
	if m.bytes {
		return withUnit(m.rate(v, bits), "B/s")
	}
	return withUnit(m.rate(v, bits), "bit/s")
}

// withUnit moves a number's suffix to the unit.
func withUnit(s, unit string) string {
	if n := len(s) - 1; s[n] > '9' {
		return s[:n] + " " + s[n:] + unit
	}
	return s + " " + unit
}
