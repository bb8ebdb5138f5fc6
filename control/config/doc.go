// Package config reads weir's one configuration file: it loads, checks and prints it, and hands
// each part of the program the section that is its own.
//
// Everything wrong with a file is found in one run, each finding with its place, an excerpt and,
// where there is one, a suggestion; only behind an error of YAML itself nothing more is said. Past
// Load the configuration is trusted: ranges, prefixes and references between sections have been
// checked.
//
// The file is YAML 1.2 restricted to what a configuration needs: mappings and lists in block or
// flow style, plain and quoted values on one line, with JSON's escapes, comments, one document.
// Anchors, aliases, merge keys, tags, directives and block scalars are refused by name.
//
// A library scans and parses it. Between the two, vetter holds every token to the text of the file
// and mends what would make a mapping with the key 2001 of {prefixes: [2001:db8::/32]}. Some things
// that YAML forbids are read as they are meant: a first comma with nothing before it, a comment
// with no space before it. Inside braces a plain key cannot hold a colon.
//
// The package has no state and starts no goroutine; a Config is read-only once loaded.
package config
