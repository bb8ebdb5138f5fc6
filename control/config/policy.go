package config

import (
	"net/netip"

	"weir/control/detect"
)

// Hostgroup is a named set of prefixes with limits of its own, as the file has it: Thresholds
// hold only what the group sets itself.
type Hostgroup struct {
	Name       string            `yaml:"name" required:"y" example:"web" form:"name"`
	Prefixes   []netip.Prefix    `yaml:"prefixes" required:"y" example:"[192.0.2.0/28]"`
	Thresholds detect.Thresholds `yaml:"thresholds"`
}

// Hosts returns the number of IPv4 addresses in the networks, each counted once, and the number of
// IPv6 networks, whose addresses are past counting.
func (c *Config) Hosts() (ipv4 uint64, ipv6Networks int) {
	for _, n := range newPrefixSet(c.Networks) {
		if n.Addr().Is4() {
			ipv4 += 1 << (32 - n.Bits())
		} else {
			ipv6Networks++
		}
	}
	return ipv4, ipv6Networks
}

// Policy returns what detection decides by: Groups[0] is detect.Global with the file's
// thresholds, the hostgroups follow in the file's order, complete by inheritance from it.
func (c *Config) Policy() detect.Policy {
	p := detect.Policy{
		Networks:  c.Networks,
		Allowlist: c.Allowlist,
		Groups:    []detect.Hostgroup{{Name: detect.Global, Thresholds: c.Thresholds}},
	}
	for _, g := range c.Hostgroups {
		p.Groups = append(p.Groups, detect.Hostgroup{
			Name:       g.Name,
			Prefixes:   g.Prefixes,
			Thresholds: g.Thresholds.Inherit(c.Thresholds),
		})
	}
	return p
}
