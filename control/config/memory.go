package config

// Memory bounds what counting takes.
type Memory struct {
	// Tables is the budget of all tables together, at most what the machine, or its control group,
	// has; 0: a quarter of that.
	Tables Size `yaml:"tables" range:"1MiB,64TiB" words:"auto=0"`
}
