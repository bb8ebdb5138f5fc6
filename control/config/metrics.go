package config

// Metrics is where Prometheus scrapes.
type Metrics struct {
	Listen string `yaml:"listen" form:"listen"` // TCP
}
