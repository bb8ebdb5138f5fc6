package config

// Replay says how the captures of `weir replay` were taken.
type Replay struct {
	SamplingRate uint32 `yaml:"sampling_rate" range:"1,4294967295"` // N of the switch's 1:N
	LengthFromIP bool   `yaml:"length_from_ip"`                     // frames were cropped
}
