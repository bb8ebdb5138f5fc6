package config

// Filter says which traffic is not counted.
type Filter struct {
	Rules     string `yaml:"rules,omitempty" form:"path"` // file of rules; empty: none
	Lua       string `yaml:"lua,omitempty" form:"path"`   // script; empty: none
	LuaBudget int    `yaml:"lua_budget" range:"1,100"`    // percent of each worker's core
}
