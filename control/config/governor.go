package config

import "net/netip"

// Governor bounds every change of traffic.
type Governor struct {
	Protected       []netip.Prefix `yaml:"protected" unique:"y"` // never announced
	MaxBlackholes   int            `yaml:"max_blackholes" range:"0,100000"`
	MaxNewPerMinute int            `yaml:"max_new_per_minute" range:"0,100000"`
	MaxShare        int            `yaml:"max_share" range:"0,100"` // percent of each network
}
