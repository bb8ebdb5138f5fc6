package logs

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// journal is a file that systemd would say leads to the journal.
func journal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	return f
}

func TestJournal(t *testing.T) {
	f := journal(t)
	log, _ := New(f, Options{Level: slog.LevelDebug})
	log.Error("a", "time", "noon")
	log.Warn("b\n<0>c")
	log.Info("d")
	log.Debug("e")
	log.Log(t.Context(), slog.LevelError+4, "f")
	log.Log(t.Context(), slog.LevelInfo+1, "g")
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	const want = `<3>level=ERROR msg=a time=noon
<4>level=WARN msg="b\n<0>c"
<6>level=INFO msg=d
<7>level=DEBUG msg=e
<3>level=ERROR+4 msg=f
<6>level=INFO+1 msg=g
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNotTheJournal(t *testing.T) {
	_ = journal(t)
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	closed, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, f := range []*os.File{other, closed, nil} {
		if toJournal(f) {
			t.Errorf("%v is taken for the journal", f)
		}
	}
}
