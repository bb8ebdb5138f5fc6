//go:build !linux

package main

import "errors"

func run([]string) error { return errors.New("a comparison needs Linux: network namespaces") }
