package nic

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	sysfsRoot = "/sys/class/net"
	deferFile = "napi_defer_hard_irqs"
	flushFile = "gro_flush_timeout"
	waySysfs  = "sysfs"
)

func sysfsFile(name, file string) string { return filepath.Join(sysfsRoot, name, file) }

// sysfs is the site of a whole interface: what comes later inherits from it.
type sysfs struct {
	root  string
	name  string
	index int
}

func (s *sysfs) way() string { return waySysfs }

// shows fails unless the mounted sysfs shows this very interface. It shows the network namespace
// of whoever mounted it, where another interface may have the same name.
func (s *sysfs) shows() error {
	index, err := s.number("ifindex")
	if err != nil {
		return err
	}
	if index != uint64(s.index) {
		return fmt.Errorf("%w: /sys shows another %s", ErrMissing, s.name)
	}
	return nil
}

func (s *sysfs) number(file string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(s.root, s.name, file))
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

func (s *sysfs) read() (map[uint32]Timing, error) {
	if err := s.shows(); err != nil {
		return nil, err
	}
	polls, err := s.number(deferFile)
	if err != nil {
		return nil, err
	}
	flush, err := s.number(flushFile)
	if err != nil {
		return nil, err
	}
	return map[uint32]Timing{0: {Defer: uint32(polls), Flush: time.Duration(flush)}}, nil
}

func (s *sysfs) write(_ uint32, t Timing) error {
	if err := s.shows(); err != nil {
		return err
	}
	for file, n := range map[string]int64{deferFile: int64(t.Defer), flushFile: int64(t.Flush)} {
		path := filepath.Join(s.root, s.name, file)
		if err := os.WriteFile(path, strconv.AppendInt(nil, n, 10), 0); err != nil {
			return err
		}
	}
	return nil
}
