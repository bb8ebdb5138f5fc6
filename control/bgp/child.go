package bgp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"weir/control/bgp/wire"
)

// child runs one child, the n-th, until it ends, and returns how.
func (s *Supervisor) child(ctx context.Context, n uint64) error {
	conn, theirs, err := pair()
	if err != nil {
		return err
	}
	defer conn.Close()
	cmd := exec.Command(s.config.Command[0], s.config.Command[1:]...)
	cmd.Env = s.config.Env
	if cmd.Env == nil {
		cmd.Env = []string{} // and not that of this process
	}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = attributes()
	words, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = theirs.Close() // the child has its own
	if err != nil {
		return fmt.Errorf("start speaker: %w", err)
	}
	s.change(func(st *State) *State {
		next := *st
		next.Child.PID, next.Child.Restarts = cmd.Process.Pid, n
		return &next
	})
	said := make(chan struct{})
	go func() {
		defer close(said)
		listen(words, s.config.Log)
	}()
	talking := make(chan error, 1)
	go func() { talking <- s.talk(ctx, conn) }()
	err = <-talking
	return errors.Join(err, s.finish(ctx, cmd, said))
}

// finish takes leave of a child: it ends by itself when its connection does, or else is killed.
func (s *Supervisor) finish(ctx context.Context, cmd *exec.Cmd, said <-chan struct{}) error {
	wait := time.Second
	if ctx.Err() == nil {
		wait = 0 // it is silent, or has ended
	}
	kill := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	<-said // before Wait, which closes the pipe
	return cmd.Wait()
}

// talk tells the child what is wanted and hears what is, until it ends, is silent, or ctx ends.
func (s *Supervisor) talk(ctx context.Context, conn net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	heard := make(chan error, 1)
	go func() {
		heard <- s.hear(conn)
		cancel()
	}()
	said := s.say(ctx, conn)
	_ = conn.Close() // hear ends with it
	cancel()
	return errors.Join(said, <-heard)
}

// errNetworks is why a child ends that knows other networks.
var errNetworks = errors.New("the networks have changed")

// say sends the setup and then each newest set.
func (s *Supervisor) say(ctx context.Context, conn net.Conn) error {
	send := func(message any) error {
		if err := conn.SetWriteDeadline(time.Now().Add(s.config.Patience)); err != nil {
			return fmt.Errorf("talk to speaker: %w", err)
		}
		return wire.Write(conn, message)
	}
	select {
	case <-s.again: // the setup is the newest
	default:
	}
	if err := send(s.setup()); err != nil {
		return err
	}
	for sent := uint64(0); ; {
		if set := s.newest(); set != nil && set.Generation != sent {
			if err := send(set); err != nil {
				return err
			}
			sent = set.Generation
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.again:
			return errNetworks
		case <-s.wake:
		}
	}
}

// hear takes the child's reports.
func (s *Supervisor) hear(conn net.Conn) error {
	for {
		if err := conn.SetReadDeadline(time.Now().Add(s.config.Patience)); err != nil {
			return fmt.Errorf("hear speaker: %w", err)
		}
		m, err := wire.Read(conn)
		if err != nil {
			return fmt.Errorf("hear speaker: %w", err)
		}
		report, ok := m.(*wire.Report)
		if !ok {
			return fmt.Errorf("hear speaker: message is a %T, not a report", m)
		}
		s.change(func(st *State) *State { return st.reported(report, s.flaps, time.Now()) })
	}
}

// pair returns two connected sockets: one to talk by, one to give away.
func pair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "weir"), os.NewFile(uintptr(fds[1]), "speaker")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		_ = theirs.Close() // it was never used
		return nil, nil, fmt.Errorf("use socket pair: %w", err)
	}
	return conn, theirs, nil
}

// Bounds of what a child says: a line's length, and the lines of a crash.
const (
	maxLine  = 16 << 10
	maxTrace = 60
)

// listen takes a child's words into the log. What is no line of its logger is how it crashed: the
// beginning of that is kept.
func listen(words io.Reader, log *slog.Logger) {
	lines := bufio.NewReaderSize(words, maxLine)
	trace := 0
	for {
		line, long, err := lines.ReadLine()
		if err != nil {
			return
		}
		for more := long; more && err == nil; {
			_, more, err = lines.ReadLine()
		}
		if repeat(line, log) {
			continue
		}
		if trace++; trace <= maxTrace {
			log.Error("BGP speaker says", "cause", string(line))
		}
	}
}

// repeat logs a line of the child's logger as that did.
func repeat(line []byte, log *slog.Logger) bool {
	fields := map[string]any{}
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &fields) != nil {
		return false
	}
	message, _ := fields[slog.MessageKey].(string)
	name, _ := fields[slog.LevelKey].(string)
	var level slog.Level
	if message == "" || level.UnmarshalText([]byte(name)) != nil {
		return false
	}
	var attrs []slog.Attr
	for k, v := range fields {
		if k != slog.MessageKey && k != slog.LevelKey && k != slog.TimeKey {
			attrs = append(attrs, slog.Any(k, v))
		}
	}
	log.LogAttrs(context.Background(), level, message, attrs...)
	return true
}
