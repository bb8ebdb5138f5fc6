package config

// API is how other programs reach the daemon.
type API struct {
	Socket string `yaml:"socket" form:"socket"` // a unix socket
}
