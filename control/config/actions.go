package config

import "time"

// Actions tell people and systems about attacks, beside BGP.
type Actions struct {
	Script Script `yaml:"script,omitempty"`
	ExaBGP ExaBGP `yaml:"exabgp,omitempty"`
}

// Script is a program that is run when a ban begins and when it ends; none without a path.
type Script struct {
	Path    string        `yaml:"path" required:"y" example:"/usr/local/bin/notify" form:"path"`
	Format  ScriptFormat  `yaml:"format" enum:"text,json"` // of its standard input
	Timeout time.Duration `yaml:"timeout" range:"1s,1h"`   // of it and all that it started
	Observe bool          `yaml:"observe"`                 // run it in mode observe too
}

// ScriptFormat is what a script reads.
type ScriptFormat string

// Text is FastNetMon's report at the beginning of a ban; JSON is a document at both ends.
const (
	Text ScriptFormat = "text"
	JSON ScriptFormat = "json"
)

// ExaBGP is the named pipe of an ExaBGP process; none without a path.
type ExaBGP struct {
	Pipe string `yaml:"pipe" required:"y" example:"/run/exabgp/weir.pipe" form:"path"`
}

func (s *Script) setDefaults() { s.Format, s.Timeout = Text, 30*time.Second }
