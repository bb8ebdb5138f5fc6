package config

import (
	"strconv"
	"strings"

	"weir/control/ban"
)

func parseCommunity(text string) (ban.Community, *problem) {
	switch text {
	case "blackhole":
		return ban.Blackhole, nil
	case "no-export":
		return ban.NoExport, nil
	case "no-advertise":
		return ban.NoAdvertise, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) == 2 || len(parts) == 3 {
		bits := map[int]int{2: 16, 3: 32}[len(parts)]
		var n [3]uint32
		for i, part := range parts {
			v, err := strconv.ParseUint(part, 10, bits)
			if !allDigits(part) {
				return ban.Community{}, notCommunity(text)
			}
			if err != nil {
				return ban.Community{}, outOfBits(text, part, bits)
			}
			n[i] = uint32(v)
		}
		return ban.Community{Large: len(parts) == 3, A: n[0], B: n[1], C: n[2]}, nil
	}
	return ban.Community{}, notCommunity(text)
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
