package router

import (
	"fmt"
	"testing"
)

func TestBIRDRoutes(t *testing.T) {
	const text = `BIRD 2.0.12 ready.
Table master4:
10.0.0.7/32          unreachable [weir 12:00:00.000] * (100) [AS65001i]
	Type: BGP univ
	BGP.origin: IGP
	BGP.next_hop: 192.0.2.1
	BGP.community: (65535,666) (65535,65281)
	BGP.large_community: (4200000001, 1, 666)

Table master6:
2001:db8::7/128      unreachable [weir 12:00:00.000] * (100) [AS65001i]
	BGP.next_hop: 100::1 fe80::1
`
	routes, err := birdRoutes(text)
	want := "[10.0.0.7/32 via 192.0.2.1 [65535:666 65535:65281 4200000001:1:666] " +
		"2001:db8::7/128 via 100::1 []]"
	if got := fmt.Sprint(routes); err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := birdRoutes("10.0.0.7/32 x\n\tBGP.next_hop: x\n"); err == nil {
		t.Error("a next hop that is none was taken")
	}
}
