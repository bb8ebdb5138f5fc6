package cli

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMuteTerminal runs a command on a terminal that answers no question, as those of serial lines
// do: nothing waits for an answer.
func TestMuteTerminal(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal:", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip("no terminal:", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal:", err)
	}
	defer tty.Close()
	go func() { _, _ = io.Copy(io.Discard, master) }()
	fastest := time.Hour
	for range 3 { // the machine may be busy at times
		cmd := exec.Command(os.Args[0], "version")
		cmd.Env = append(os.Environ(), asWeir+"=1", "TERM=xterm-256color", "CI=")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		// The terminal is its own: who is not in front of it is asked nothing.
		cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
		begin := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(begin))
	}
	t.Log("after", fastest.Round(time.Millisecond))
	if fastest > 2*time.Second {
		t.Errorf("weir version took %v", fastest)
	}
}
