package journal

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rewrite puts a new file with these routes in place of the old one. Wherever it is interrupted,
// the old or the new one is there and whole.
func (w *writer) rewrite(gen uint64, routes []entry) error {
	body, size := w.encode(make([]byte, headerSize), gen, &batch{changes: routes})
	header{gen, w.seq, uint32(size)}.appendTo(body[:0])
	f, err := w.temporary(body)
	if err != nil {
		return fmt.Errorf("write the journal anew: %w", err)
	}
	if w.file != nil {
		_ = w.file.Close() // nothing that counts is in it alone any more
	}
	w.file, w.sound = f, false // until the new name is known to be on the disk
	if err := w.replace(); err != nil {
		return fmt.Errorf("put the new journal in place: %w", err)
	}
	w.sound, w.unsynced = true, false
	w.size, w.records, w.seq = int64(size), len(routes), w.seq+uint64(len(routes))
	w.compact = max(w.least, 2*w.size)
	return nil
}

// replace gives the new file its name, after a damaged one got another.
func (w *writer) replace() error {
	if w.damaged {
		kept, err := keepBad(w.disk, w.keep)
		if err != nil {
			return err
		}
		w.kept, w.damaged = kept, false
	}
	if err := w.disk.rename(tempName, fileName); err != nil {
		return err
	}
	return w.disk.sync()
}

// temporary writes a file that is ready to be renamed.
func (w *writer) temporary(body []byte) (file, error) {
	f, err := w.disk.create(tempName)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(body); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), w.disk.remove(tempName))
	}
	return f, nil
}

// keepBad gives the damaged file another name beside the one it has, and lets go of the oldest
// ones, so that keep of them are left. A start that is interrupted here keeps it twice.
func keepBad(d disk, keep int) (name string, err error) {
	names, err := d.list()
	if err != nil {
		return "", err
	}
	var numbers []int
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, badName)
		n, err := strconv.Atoi(digits)
		if ok && err == nil && n > 0 && badName+strconv.Itoa(n) == name {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	next := 1
	if n := len(numbers); n > 0 {
		next = numbers[n-1] + 1
	}
	name = badName + strconv.Itoa(next)
	if err := d.link(fileName, name); err != nil {
		// Not every file system has links. Between this and the new file's name a crash leaves
		// no journal, only the kept one.
		if err := d.rename(fileName, name); err != nil {
			return "", err
		}
	}
	for len(numbers) >= keep {
		_ = d.remove(badName + strconv.Itoa(numbers[0])) // else at the next damage
		numbers = numbers[1:]
	}
	return name, nil
}
