// Package packaging holds what is installed beside the binary: the systemd unit, its user and its
// folders. It has no code but the tests that hold these files to what was measured.
package packaging
