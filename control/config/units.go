package config

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rate is a number per second: packets, bits or flows. At most maxRate.
type Rate uint64

// maxRate is a petabit a second: a larger limit is a slip of the pen.
const maxRate = 1e15

// Size is a number of bytes.
type Size uint64

// suffix is a unit behind a number, and what it multiplies by.
type suffix struct {
	text  string
	times uint64
}

// rateSuffixes and sizeSuffixes list the units; of two that are equally short the first is printed.
func rateSuffixes() []suffix { return []suffix{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}} }

func sizeSuffixes() []suffix {
	return []suffix{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
	}
}

// String returns the rate in the shortest of its forms, e.g. "20k".
func (r Rate) String() string { return withSuffix(uint64(r), rateSuffixes()) }

// String returns the size in the shortest of its forms, e.g. "2MiB".
func (s Size) String() string { return withSuffix(uint64(s), sizeSuffixes()) }

func withSuffix(n uint64, units []suffix) string {
	shortest := strconv.FormatUint(n, 10)
	for _, u := range units {
		text := strconv.FormatUint(n/u.times, 10) + u.text
		if n%u.times == 0 && n > 0 && len(text) < len(shortest) {
			shortest = text
		}
	}
	return shortest
}

// parseRate returns the rate that text means: a number that is not negative, with k, M or G for
// thousands, millions or billions, e.g. "20k" or "1.5M".
func parseRate(text string) (Rate, *problem) {
	n, p := number(text, rateSuffixes())
	if p == nil && n <= maxRate {
		return Rate(n), nil
	}
	if p == nil {
		p = problemf("", "%s is more than 1000000G", quote(text))
	}
	if p.message == "" {
		p = problemf(rateHint(text), "%s is not a rate: a number, or one with k, M or G",
			quote(text))
	}
	return 0, p
}

func parseSize(text string) (Size, *problem) {
	n, p := number(text, sizeSuffixes())
	if p != nil && p.message == "" {
		p = problemf(sizeHint(text), "%s is not a size: a number with KiB, MiB, GiB, kB, MB or GB",
			quote(text))
	}
	return Size(n), p
}

// maxDigits bounds a number before it is computed with.
const maxDigits = 40

// number reads digits with an optional fraction and one of the units. It returns a problem
// without a message if text has another form.
func number(text string, units []suffix) (uint64, *problem) {
	digits := strings.TrimRight(text, "BGKMTik")
	whole, fraction, point := strings.Cut(digits, ".")
	i := slices.IndexFunc(units, func(u suffix) bool { return u.text == text[len(digits):] })
	switch {
	case len(text) > 1 && text[0] == '-' && allDigits(text[1:2]):
		return 0, problemf("", "%s is negative", quote(text))
	case i < 0, !allDigits(whole), point && !allDigits(fraction):
		return 0, &problem{}
	case len(digits) > maxDigits:
		return 0, problemf("", "%s has more than %d digits", quote(text), maxDigits)
	}
	n, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, &problem{}
	}
	n.Mul(n, new(big.Rat).SetUint64(units[i].times))
	switch {
	case !n.IsInt():
		return 0, problemf("", "%s is not a whole number", quote(text))
	case !n.Num().IsUint64():
		return 0, &problem{message: quote(text) + " is out of range", overflow: true}
	}
	return n.Num().Uint64(), nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// rateHint guesses the rate that was meant: an exponent, another unit or case, separators between
// digits.
func rateHint(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && f >= 0 && f <= maxRate && f == math.Trunc(f) {
		return "write " + Rate(f).String()
	}
	return unitHint(text, rateSuffixes(), func(unit string) (string, bool) {
		for _, end := range []string{
			"bits/s", "bit/s", "bits", "bit", "bps", "pps", "fps", "/s", "p", "b",
		} {
			unit = strings.TrimSuffix(unit, end)
		}
		right, ok := map[string]string{"k": "k", "m": "M", "g": "G", "t": "000G", "": ""}[unit]
		return right, ok
	})
}

// sizeHint guesses the size that was meant.
func sizeHint(text string) string {
	return unitHint(text, sizeSuffixes(), func(unit string) (string, bool) {
		for _, u := range sizeSuffixes() {
			if strings.EqualFold(u.text, unit) || strings.EqualFold(u.text, unit+"iB") {
				return u.text, true
			}
		}
		return "", false
	})
}

// unitHint returns a suggestion made of text's number and the unit that correct makes of the
// rest in lower case, or nothing if it knows none or that does not parse.
func unitHint(text string, units []suffix, correct func(unit string) (string, bool)) string {
	text = strings.Map(func(c rune) rune {
		if strings.ContainsRune(" ,_'", c) {
			return -1
		}
		return c
	}, text)
	unit := strings.TrimLeft(text, "0123456789.")
	right, known := correct(strings.ToLower(unit))
	if !known {
		return ""
	}
	guess := text[:len(text)-len(unit)] + right
	if _, p := number(guess, units); p != nil {
		return ""
	}
	return "write " + guess
}

func parseDuration(text string) (time.Duration, *problem) {
	d, err := time.ParseDuration(text)
	switch {
	case err == nil && d >= 0:
		return d, nil
	case err == nil:
		return 0, problemf("", "%s is negative", quote(text))
	}
	return 0, problemf(durationHint(text), "%s is not a duration: a number with h, m, s or ms",
		quote(text))
}

// durationHint guesses the duration that was meant.
func durationHint(text string) string {
	text = strings.ReplaceAll(text, " ", "")
	unit := strings.ToLower(strings.TrimLeft(text, "0123456789."))
	digits := text[:len(text)-len(unit)]
	if days, err := strconv.Atoi(digits); err == nil && strings.HasPrefix(unit, "d") {
		return "write " + strconv.Itoa(days*24) + "h"
	}
	for _, u := range []string{"ms", "h", "m", "s"} {
		if strings.HasPrefix(unit, u) || unit == "" {
			unit = u
			if digits == text {
				unit = "s"
			}
			break
		}
	}
	if d, err := time.ParseDuration(digits + unit); err == nil {
		return "write " + durationText(d)
	}
	return ""
}

// durationText returns d as Go has it without the zero units at its end: "30m", not "30m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
