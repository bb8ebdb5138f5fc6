package bgp_test

import (
	"net/netip"
	"testing"
	"time"

	"weir/control/bgp"
)

func TestAnnouncedWithAllAttributesAndWithdrawn(t *testing.T) {
	r := router(t, routerAt, nil)
	s := supervise(t, nil, peerOf(r))
	start := time.Now()
	s.Set(approve(t, time.Hour, "203.0.113.7", "2001:db8::7"))
	stands(t, r, 5*time.Second, "203.0.113.7", "2001:db8::7")
	t.Log("announced after", time.Since(start))
	for i, want := range []string{
		"203.0.113.7/32 via 192.0.2.1 [65535:666 65535:65281 65001:100 4200000001:1:666]",
		"2001:db8::7/128 via 100::1 [65535:666 65535:65281 65001:100 4200000001:1:666]",
	} {
		if got := r.Routes()[i].String(); got != want {
			t.Errorf("route %d is %s, want %s", i, got, want)
		}
	}
	until(t, s, time.Second, "standing", func(st *bgp.State) bool {
		return st.Standing(netip.MustParsePrefix("203.0.113.7/32")) == 1 &&
			st.Established == 1 && st.Acknowledged == st.Wanted
	})
	s.Set(approve(t, time.Hour, "2001:db8::7"))
	stands(t, r, time.Second, "2001:db8::7")
	s.Set(nil)
	stands(t, r, time.Second)
}
