package config

// Memory bounds what counting takes.
type Memory struct {
	// Tables is the budget of all tables together; 0: a quarter of what the machine, or its
	// control group, has.
	Tables Size `yaml:"tables" range:"1MiB,64TiB" words:"auto=0"`
}
