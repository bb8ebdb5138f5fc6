// Package config reads weir's one configuration file: it loads, checks and prints it, and hands
// each part of the program the section that is its own.
//
// Everything wrong with a file is found in one run, each finding with its place, an excerpt and,
// where there is one, a suggestion. Past Load the configuration is trusted: ranges, prefixes and
// references between sections have been checked.
//
// The file is YAML 1.2 restricted to what a configuration needs: mappings and lists in block or
// flow style, plain and quoted values on one line, comments, one document. Anchors, aliases, merge
// keys, tags, directives and multi-line values are refused by name. The reader is this package's
// own because every value here is full of colons: the YAML library of this module takes
// {prefixes: [2001:db8::/32]} for a mapping with the key 2001, and needs time quadratic in the
// size of some files. It is the oracle of the tests instead.
//
// The package has no state and starts no goroutine; a Config is read-only once loaded.
package config
