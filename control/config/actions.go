package config

// Actions tell people and systems about attacks.
type Actions struct {
	Script Script `yaml:"script,omitempty"`
}

// Script is a program that is run at every attack's beginning and end; none without a path.
type Script struct {
	Path string `yaml:"path" required:"y" example:"/usr/local/bin/notify" form:"path"`
}
