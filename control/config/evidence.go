package config

// Evidence says where the proofs of incidents are kept, and bounds them.
type Evidence struct {
	Dir          string `yaml:"dir" form:"path"` // default: evidence in the state directory
	MaxIncidents int    `yaml:"max_incidents" range:"1,1000000"`
	MaxPackets   int    `yaml:"max_packets" range:"1,1000000"` // per incident
	MaxBytes     Size   `yaml:"max_bytes" range:"64KiB,1GiB"`  // per incident
}
