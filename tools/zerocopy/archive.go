package zerocopy

import (
	"bytes"
	"fmt"
)

// archive is an initramfs: a cpio archive in the format "newc" (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst), not compressed.
type archive struct {
	b     bytes.Buffer
	inode int
}

// Modes of what an archive holds.
const (
	modeFolder = 0o040755
	modeFile   = 0o100755
)

func (a *archive) add(name string, mode int, data []byte) {
	a.inode++
	fmt.Fprintf(&a.b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.b.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.b.Len()%4 != 0 {
		a.b.WriteByte(0)
	}
}

func (a *archive) folder(name string)            { a.add(name, modeFolder, nil) }
func (a *archive) file(name string, data []byte) { a.add(name, modeFile, data) }

// bytes ends the archive and returns it.
func (a *archive) bytes() []byte {
	a.add("TRAILER!!!", 0, nil)
	return a.b.Bytes()
}
