package config

import "time"

// Ban says how long a mitigation lasts: it is withdrawn at the end of Time once the host was
// below every limit for Quiet, else extended.
type Ban struct {
	Time  time.Duration `yaml:"time" range:"1s,8760h"`
	Quiet time.Duration `yaml:"quiet" range:"1s,24h"`
}
