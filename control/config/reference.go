package config

import _ "embed"

//go:embed reference.yaml
var reference string

// Reference returns a configuration file with every key, its meaning, unit and default. What is
// not commented out in it is Default() and an example network.
func Reference() string { return reference }
