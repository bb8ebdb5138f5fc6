package exabgp

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// writer is the open end of a named pipe. None of its methods waits.
type writer struct{ fd int }

var (
	errNoReader = errors.New("nobody reads it: is ExaBGP running, and its process for this pipe?")
	errFull     = errors.New("it is full: its reader does not read")
	errCut      = errors.New("a line was cut")
)

// openWriter opens the pipe at path. Without a reader it fails with errNoReader.
func openWriter(path string) (*writer, error) {
	if err := check(path); err != nil { // before it is opened: a device's opening may do something
		return nil, err
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if errors.Is(err, unix.ENXIO) {
		err = errNoReader
	}
	if err != nil {
		return nil, fmt.Errorf("ExaBGP's pipe %s: %w", path, err)
	}
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("it is no named pipe any more")
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("ExaBGP's pipe %s: %w", path, err)
	}
	return &writer{fd}, nil
}

// abandoned reports whether nobody reads any more.
func (w *writer) abandoned() bool {
	fds := []unix.PollFd{{Fd: int32(w.fd)}}
	err := again(func() error {
		_, err := unix.Poll(fds, 0)
		return err
	})
	return err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}

// write writes a line, or nothing of it.
func (w *writer) write(line string) error {
	var n int
	err := again(func() (err error) {
		n, err = unix.Write(w.fd, []byte(line))
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return errFull
	case errors.Is(err, unix.EPIPE):
		return errNoReader
	case err != nil:
		return err
	case n < len(line):
		return errCut
	}
	return nil
}

func (w *writer) close() { _ = unix.Close(w.fd) } // nothing is buffered here

// again calls f until no signal interrupts it.
func again(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// open sees to it that the pipe is open, if somebody reads it, and reports whether it was opened
// just now.
func (p *Pipe) open(now time.Time) (opened bool, err error) {
	if p.file != nil && p.file.abandoned() {
		p.shut()
		p.tried = time.Time{}
	}
	if p.file != nil {
		return false, nil
	}
	if now.Sub(p.tried) < openTime {
		return false, p.failed
	}
	p.tried = now
	if p.file, p.failed = openWriter(p.path); p.failed != nil {
		return false, p.failed
	}
	p.renew(now)
	return true, nil
}

// write writes a line. A pipe that fails is closed; a full one is not.
func (p *Pipe) write(line string) error {
	err := p.file.write(line)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("ExaBGP's pipe %s: %w", p.path, err)
	if !errors.Is(err, errFull) {
		p.shut()
		p.failed = err
	}
	return err
}

func (p *Pipe) shut() {
	if p.file != nil {
		p.file.close()
		p.file = nil
	}
}

// complain logs an error when it comes, and that it went.
func (p *Pipe) complain(err error) {
	switch now := text(err); {
	case now == p.complaint:
	case err != nil:
		p.log.Warn("ExaBGP is not told everything", "error", now)
		p.complaint = now
	default:
		p.log.Info("ExaBGP is told everything again", "pipe", p.path)
		p.complaint = ""
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
