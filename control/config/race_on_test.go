//go:build race

package config

// raced says that the race detector slows everything down.
const raced = true
