package governor

// Refusal is the rule that a route did not pass. The zero value is none.
type Refusal uint8

// The rules, in the order in which they are asked: a route is refused by the first that it does
// not pass.
const (
	None Refusal = iota
	NotHostRoute
	NotUnicast
	OutsideNetworks
	Protected
	NoNextHop
	NoLease
	Frozen
	Holding
	Stands
	TooMany
	TooFast
	TooLarge

	Refusals // how many there are
)

var refusals = [Refusals]struct{ name, text string }{
	None:            {"none", "approved"},
	NotHostRoute:    {"not_host_route", "it is no /32 or /128"},
	NotUnicast:      {"not_unicast", "it is no address of one host"},
	OutsideNetworks: {"outside_networks", "it is in none of the networks"},
	Protected: {
		"protected", "it is protected: by governor.protected, or as a peer, a next hop or our own",
	},
	NoNextHop: {"no_next_hop", "it has no next hop of its family"},
	NoLease:   {"no_lease", "it has no end, or one too far away"},
	Frozen:    {"frozen", "announcing is frozen"},
	Holding:   {"holding", "weir, a source or the clock began anew: it is not trusted yet"},
	Stands:    {"stands", "it stands already"},
	TooMany:   {"max_blackholes", "as many as governor.max_blackholes stand already"},
	TooFast:   {"max_new_per_minute", "governor.max_new_per_minute was reached"},
	TooLarge:  {"max_share", "governor.max_share of its network is blackholed already"},
}

// String returns the name: lower case, for logs, metrics and the API.
func (r Refusal) String() string { return refusals[r].name }

// Text returns why, for people.
func (r Refusal) Text() string { return refusals[r].text }
