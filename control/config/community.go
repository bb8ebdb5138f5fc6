package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Community is a BGP community: a standard one of two 16-bit numbers (RFC 1997), or a large one
// of three 32-bit numbers (RFC 8092).
type Community struct {
	Large   bool
	A, B, C uint32 // C is 0 in a standard community
}

// wellKnown returns a community of the block that is reserved for those known to every router:
// 666 is BLACKHOLE (RFC 7999), 65281 NO_EXPORT and 65282 NO_ADVERTISE (RFC 1997).
func wellKnown(b uint32) Community { return Community{A: 65535, B: b} }

// String returns "65535:666", "4200000001:1:666", "no-export" or "no-advertise".
func (c Community) String() string {
	switch {
	case c == wellKnown(65281):
		return "no-export"
	case c == wellKnown(65282):
		return "no-advertise"
	case c.Large:
		return fmt.Sprintf("%d:%d:%d", c.A, c.B, c.C)
	}
	return fmt.Sprintf("%d:%d", c.A, c.B)
}

func parseCommunity(text string) (Community, *problem) {
	switch text {
	case "blackhole":
		return wellKnown(666), nil
	case "no-export":
		return wellKnown(65281), nil
	case "no-advertise":
		return wellKnown(65282), nil
	}
	parts := strings.Split(text, ":")
	if len(parts) == 2 || len(parts) == 3 {
		bits := map[int]int{2: 16, 3: 32}[len(parts)]
		var n [3]uint32
		for i, part := range parts {
			v, err := strconv.ParseUint(part, 10, bits)
			if !allDigits(part) {
				return Community{}, notCommunity(text)
			}
			if err != nil {
				return Community{}, outOfBits(text, part, bits)
			}
			n[i] = uint32(v)
		}
		return Community{Large: len(parts) == 3, A: n[0], B: n[1], C: n[2]}, nil
	}
	return Community{}, notCommunity(text)
}

func notCommunity(text string) *problem {
	known := []string{"no-export", "no-advertise", "blackhole"}
	return problemf(didYouMean(nearest(strings.ReplaceAll(text, "_", "-"), known)),
		"%s is not a community: 65535:666, 4200000001:1:666, no-export, no-advertise or blackhole",
		quote(text))
}

func outOfBits(text, part string, bits int) *problem {
	hint := ""
	if bits == 16 {
		hint = "a larger number takes a large community, a:b:c"
	}
	return problemf(hint, "%s in %s does not fit in %d bits", part, quote(text), bits)
}
