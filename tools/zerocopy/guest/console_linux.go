package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weir/tools/zerocopy"
)

// console is the line to the host.
type console struct {
	out *os.File
	in  *bufio.Reader
}

func openConsole(path string) (*console, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the line to the host: %w", err)
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the settings of %s: %w", path, err)
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0 // lines as they are, and no echo
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("set %s raw: %w", path, err)
	}
	return &console{out: f, in: bufio.NewReader(f)}, nil
}

func (c *console) tell(m *zerocopy.Message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// ask tells the host m, and waits until it has done that.
func (c *console) ask(m *zerocopy.Message) (sent uint32, err error) {
	if err := c.tell(m); err != nil {
		return 0, err
	}
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("read the host's answer: %w", err)
	}
	var a zerocopy.Answer
	if err := json.Unmarshal(line, &a); err != nil {
		return 0, fmt.Errorf("the host answered %q: %w", line, err)
	}
	return a.Sent, nil
}
