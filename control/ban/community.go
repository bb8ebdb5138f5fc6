package ban

import "fmt"

// Community is a BGP community: a standard one of two 16-bit numbers (RFC 1997), or a large one
// of three 32-bit numbers (RFC 8092).
type Community struct {
	Large   bool
	A, B, C uint32 // C is 0 in a standard community
}

// Communities of the block that is reserved for those known to every router.
var (
	Blackhole   = Community{A: 65535, B: 666}   // RFC 7999
	NoExport    = Community{A: 65535, B: 65281} // RFC 1997
	NoAdvertise = Community{A: 65535, B: 65282} // RFC 1997
)

// String returns "65535:666", "4200000001:1:666", "no-export" or "no-advertise".
func (c Community) String() string {
	switch {
	case c == NoExport:
		return "no-export"
	case c == NoAdvertise:
		return "no-advertise"
	case c.Large:
		return fmt.Sprintf("%d:%d:%d", c.A, c.B, c.C)
	}
	return fmt.Sprintf("%d:%d", c.A, c.B)
}
