//go:build !cgo

package bgp_test

const withC = false
