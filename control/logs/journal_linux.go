package logs

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// toJournal reports whether w is the file that systemd named in JOURNAL_STREAM, by device and
// inode: the one that leads to the journal (systemd.exec(5)). A redirected one is not.
func toJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || f == nil {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
