//go:build !linux

package main

import "errors"

func run([]string) error { return errors.New("a lab needs Linux: network namespaces") }
