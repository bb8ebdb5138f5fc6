package daemon

import (
	"net/netip"
	"slices"
	"time"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/config"
	"weir/control/governor"
	"weir/counters"
	"weir/decode"
)

// EngineConfig translates the file for an engine, without its inputs. lengthFromIP says whether
// frames arrive cropped; seed is that of every hash and random choice.
func EngineConfig(c *config.Config, lengthFromIP bool, seed uint64) (control.Config, error) {
	budget := uint64(c.Memory.Tables)
	if budget == 0 {
		var err error
		if budget, err = counters.DefaultBudget(); err != nil {
			return control.Config{}, err
		}
	}
	d := &decode.Decoder{LengthFromIP: lengthFromIP}
	for t, open := range c.Decode.Tunnels {
		d.Closed[t] = !open
	}
	policy := c.Policy()
	filter, findings := c.Filter.Load()
	if err := findings.Err(); err != nil {
		return control.Config{}, err
	}
	return control.Config{
		Policy: policy,
		Ban: ban.Config{
			Time: c.Ban.Time, Quiet: c.Ban.Quiet, DryRun: c.Mode != config.Enforce,
			Communities: c.BGP.Blackhole.Communities, Policy: policy.Hash(),
		},
		Decoder: d, Memory: budget, Seed: seed, Filter: filter,
		Evidence: capture.Limits{
			Before: (c.Evidence.MaxPackets + 1) / 2, After: (c.Evidence.MaxPackets + 1) / 2,
		},
		Mitigation: control.Mitigation{
			Rules:    rules(c),
			NextHop:  c.BGP.Blackhole.NextHop,
			NextHop6: c.BGP.Blackhole.NextHop6,
		},
	}, nil
}

// maxLease bounds leases whose length the file leaves open.
const maxLease = 24 * time.Hour

// rules returns what the governor holds routes to. Protected are also the peers, the next hops and
// ourselves: a blackhole of what carries the announcements would end them.
func rules(c *config.Config) governor.Rules {
	protected := slices.Clone(c.Governor.Protected)
	protect := func(addresses ...netip.Addr) {
		for _, a := range addresses {
			if a.IsValid() {
				protected = append(protected, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	protect(c.BGP.Blackhole.NextHop, c.BGP.Blackhole.NextHop6, c.BGP.Local.RouterID)
	for i := range c.BGP.Peers {
		protect(c.BGP.Peers[i].Address)
	}
	return governor.Rules{
		Networks: c.Networks, Protected: protected,
		MaxActive: c.Governor.MaxBlackholes, MaxPerMinute: c.Governor.MaxNewPerMinute,
		MaxShare: c.Governor.MaxShare, MaxLease: max(maxLease, c.Ban.Time),
	}
}

// cropped reports whether some mirror's frames arrive cropped. The length in the IP header is as
// good for the frames of the others.
func cropped(c *config.Config) bool {
	for i := range c.Capture.AFXDP {
		if c.Capture.AFXDP[i].LengthFromIP {
			return true
		}
	}
	for i := range c.Capture.AFPacket {
		if c.Capture.AFPacket[i].LengthFromIP {
			return true
		}
	}
	return false
}
