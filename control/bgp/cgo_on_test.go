//go:build cgo

package bgp_test

// withC says that there may be C code in this binary: then Go cannot set no_new_privs.
const withC = true
