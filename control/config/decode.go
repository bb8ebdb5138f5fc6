package config

import "weir/decode"

// Decode says what the decoders open.
type Decode struct {
	Tunnels Tunnels `yaml:"tunnels"`
}

// Tunnels says for each kind of encapsulation whether it is opened, indexed by decode.Tunnel.
type Tunnels [decode.NumTunnels]bool
