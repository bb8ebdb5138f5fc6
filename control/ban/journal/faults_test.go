package journal

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faults makes operations of a disk fail or wait, from the moment that they are set.
type faults struct {
	f atomic.Pointer[func(op, name string) error]
}

func (f *faults) set(fail func(op, name string) error) { f.f.Store(&fail) }

func (f *faults) heal() { f.set(func(string, string) error { return nil }) }

func (f *faults) fail(op, name string) error {
	if fail := f.f.Load(); fail != nil {
		return (*fail)(op, name)
	}
	return nil
}

// failing is the fault of one operation.
func failing(op string, err error) func(string, string) error {
	return func(is, _ string) error {
		if is == op {
			return err
		}
		return nil
	}
}

// hasPrefixes holds what a weir would find now, killed or after a loss of power, to the routes that
// it may find.
func hasPrefixes(t *testing.T, d *memDisk, what string, want ...int) {
	t.Helper()
	var all []netip.Prefix
	for _, n := range want {
		all = append(all, prefix(n))
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	after := d.killed()
	j, r := mustOpen(t, after, stillClock(), Options{})
	mustClose(t, j)
	if !slices.Equal(prefixes(r), all) || r.Damaged {
		t.Errorf("%s: a restart finds %v, not %v; %s", what, prefixes(r), all, r.Note)
	}
}

// TestSlowDisk hangs for five seconds in a sync. The caller is sent away in time, the next one at
// once; what became durable too late is cancelled, and so is what takes a live route's place.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang faults
		d := newMemDisk()
		d.fail = hang.fail
		j, _ := mustOpen(t, d, runningClock(), Options{})
		mustIntend(t, j, route(1))
		hang.set(func(op, _ string) error {
			if op == "fsync" {
				time.Sleep(5 * time.Second)
			}
			return nil
		})
		other := route(1)
		other.ID = "other"
		late := make(chan error)
		go func() { late <- j.Intent(context.Background(), other) }()
		synctest.Wait()
		began := time.Now()
		err := j.Intent(context.Background(), route(2))
		if took := time.Since(began); !errors.Is(err, ErrSlow) || took != 500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		if err := <-late; !errors.Is(err, ErrSlow) {
			t.Error(err)
		}
		time.Sleep(time.Millisecond)
		began = time.Now()
		err = j.Intent(context.Background(), route(3))
		if took := time.Since(began); !errors.Is(err, ErrSlow) || took != 0 {
			t.Errorf("the next one: %v after %v", err, took)
		}
		if s := j.State(); !errors.Is(s.Err, ErrSlow) || s.Refused != 3 || s.Routes != 1 {
			t.Errorf("state %+v", s)
		}
		time.Sleep(20 * time.Second)
		s := j.State()
		if s.Err != nil || s.Cancelled != 1 || s.Queued != 0 || s.LastSync < 5*time.Second {
			t.Errorf("in the end: %+v", s)
		}
		hang.heal()
		hasPrefixes(t, d, "after the cancellation", 1)
		mustClose(t, j)
		_, r := mustOpen(t, d, stillClock(), Options{})
		if len(r.Routes) != 1 || r.Routes[0].ID != route(1).ID {
			t.Errorf("restored %+v", r.Routes)
		}
	})
}

// TestImpatient has a caller whose context ends before the disk answers.
func TestImpatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		j, _ := mustOpen(t, d, runningClock(), Options{})
		d.fail = func(op, _ string) error {
			if op == "fsync" {
				time.Sleep(200 * time.Millisecond)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := j.Intent(ctx, route(1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		mustIntend(t, j, route(2))
		mustClose(t, j)
		hasPrefixes(t, d, "closed", 2)
	})
}

// TestFaults breaks one operation after the other, while routes come and go, and heals the disk.
func TestFaults(t *testing.T) {
	f := func(name string, cause error, meanwhile []int, fault func(op, name string) error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) { broken(t, name, cause, meanwhile, fault) })
	}
	old := []int{1, 2, 3}
	f("full", syscall.ENOSPC, old, failing("write", syscall.ENOSPC))
	f("a failing sync", syscall.EIO, old, failing("fsync", syscall.EIO))
	written := false
	f("a failing sync of the directory", syscall.EIO, []int{2, 3}, func(op, _ string) error {
		if op == "sync" || op == "write" && !written {
			written = true
			return syscall.EIO
		}
		return nil
	})
	// Even the record of what was refused cannot be taken back; here it was not written.
	f("read-only", syscall.EROFS, old, func(op, _ string) error {
		if op == "close" {
			return nil
		}
		return syscall.EROFS
	})
}

func broken(t *testing.T, name string, cause error, meanwhile []int,
	fault func(op, name string) error) {
	var disk faults
	d := newMemDisk()
	d.fail = disk.fail
	j, _ := mustOpen(t, d, runningClock(), Options{})
	mustIntend(t, j, route(1), route(2), route(3))
	synctest.Wait()
	disk.set(fault)
	if err := j.Intent(context.Background(), route(4)); !errors.Is(err, cause) {
		t.Errorf("%s: %v", name, err)
	}
	j.Withdrawn(prefix(1))
	j.Renew(prefix(2), time.Hour)
	for range 5 {
		time.Sleep(700 * time.Millisecond)
		if err := j.Intent(context.Background(), route(5)); !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := j.State(); !errors.Is(s.Err, cause) || s.Queued != 2 || s.Routes != 2 {
		t.Errorf("%s: %+v", name, s)
	}
	hasPrefixes(t, d, name+", while it lasts", meanwhile...)
	disk.heal()
	time.Sleep(time.Second + time.Millisecond)
	if s := j.State(); s.Err != nil || s.Queued != 0 {
		t.Errorf("%s, healed: %+v", name, s)
	}
	hasPrefixes(t, d, name+", healed", 2, 3)
	mustIntend(t, j, route(6))
	mustClose(t, j)
	hasPrefixes(t, d, name+", closed", 2, 3, 6)
}

// TestDiskFills lets the disk become full within a record: what was written of it does no harm.
func TestDiskFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for room := range 700 {
			d := newMemDisk()
			j, _ := mustOpen(t, d, runningClock(), Options{})
			mustIntend(t, j, route(1))
			d.setRoom(room)
			var want []int
			for n := 1; n < 4; n++ {
				if err := j.Intent(context.Background(), route(n)); err == nil {
					want = append(want, n)
				} else if !errors.Is(err, syscall.ENOSPC) {
					t.Error(err)
				}
			}
			if len(want) == 0 {
				want = []int{1}
			}
			hasPrefixes(t, d, "full", want...)
			d.setRoom(-1)
			time.Sleep(2 * time.Second)
			mustIntend(t, j, route(5))
			mustClose(t, j)
			hasPrefixes(t, d, "healed", append(want, 5)...)
		}
	})
}

// TestOpenOnABrokenDisk starts degraded, with all that is there, and heals. The damaged file is
// kept then.
func TestOpenOnABrokenDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := sampleOf(t, 3)
		data = append(data, "damage that nobody has seen yet"...)
		var disk faults
		d := with(data)
		d.fail = disk.fail
		disk.set(failing("create", syscall.EROFS))
		j, r := mustOpen(t, d, runningClock(), Options{})
		if len(r.Routes) != 3 || !r.Damaged || r.Kept != "" {
			t.Errorf("restored %+v", r)
		}
		if s := j.State(); !errors.Is(s.Err, syscall.EROFS) || s.Routes != 3 {
			t.Errorf("state %+v", s)
		}
		if !slices.Equal(d.journal(), data) {
			t.Error("the file was changed")
		}
		j.Withdrawn(prefix(1))
		disk.heal()
		time.Sleep(2 * time.Second)
		if !slices.Equal(d.content(badName+"1"), data) {
			t.Error("the damaged file is not kept")
		}
		disk.set(failing("write", syscall.EIO)) // so that there will be another new file
		_ = j.Intent(context.Background(), route(7))
		disk.heal()
		time.Sleep(2 * time.Second)
		mustClose(t, j)
		hasPrefixes(t, d, "healed", 0, 2)
		if names := mustList(t, d); !slices.Equal(names, []string{fileName, badName + "1"}) {
			t.Errorf("left: %v", names)
		}
	})
}

// TestPartOfABatch fills the disk within a batch of intents of which the first ones fit: all of
// them are refused, also those that come while the disk thinks about it, and none is found.
func TestPartOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for room := range 1300 { // the four take more
			d := newMemDisk()
			var disk faults
			d.fail = disk.fail
			j, _ := mustOpen(t, d, runningClock(), Options{})
			disk.set(func(op, _ string) error {
				if op == "write" || op == "fsync" {
					time.Sleep(50 * time.Millisecond)
				}
				return nil
			})
			results := make(chan error, 8)
			ask := func(n int) { results <- j.Intent(context.Background(), route(n)) }
			go ask(0)
			time.Sleep(20 * time.Millisecond)
			for n := 1; n < 5; n++ {
				go ask(n)
			}
			time.Sleep(100 * time.Millisecond)
			d.setRoom(room)
			go ask(5)
			began := time.Now()
			if err := <-results; err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if err := <-results; !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("room for %d: %v", room, err)
				}
			}
			if waited := time.Since(began); waited > 300*time.Millisecond {
				t.Errorf("refused after %v", waited)
			}
			disk.heal()
			synctest.Wait()
			hasPrefixes(t, d, "refused", 0)
		}
	})
}

// TestCloseCancels closes while the disk hangs, so that the last intent becomes durable too late in
// the very last write.
func TestCloseCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		j, _ := mustOpen(t, d, runningClock(), Options{})
		d.fail = func(op, _ string) error {
			if op == "fsync" {
				time.Sleep(600 * time.Millisecond)
			}
			return nil
		}
		results := make(chan error, 2)
		go func() { results <- j.Intent(context.Background(), route(1)) }()
		time.Sleep(400 * time.Millisecond)
		go func() { results <- j.Intent(context.Background(), route(2)) }()
		time.Sleep(10 * time.Millisecond)
		mustClose(t, j)
		for range 2 {
			if err := <-results; !errors.Is(err, ErrSlow) {
				t.Error(err)
			}
		}
		hasPrefixes(t, d, "closed")
	})
}

// sampleOf is a journal of the first n routes.
func sampleOf(t *testing.T, n int) []byte {
	t.Helper()
	d := newMemDisk()
	j, _ := mustOpen(t, d, stillClock(), Options{})
	for i := range n {
		mustIntend(t, j, route(i))
	}
	mustClose(t, j)
	return d.journal()
}

// TestCompactionFails leaves the old file in use, and tries again after it has grown.
func TestCompactionFails(t *testing.T) {
	d := newMemDisk()
	var disk faults
	d.fail = disk.fail
	j, _ := mustOpen(t, d, stillClock(), Options{CompactBytes: 4096})
	disk.set(failing("create", syscall.ENOSPC))
	for n := range 20 {
		mustIntend(t, j, route(n%4))
	}
	s := j.State()
	if s.Err != nil || !errors.Is(s.Housekeeping, syscall.ENOSPC) || s.Records != 20 {
		t.Errorf("state %+v", s)
	}
	disk.heal()
	for n := range 20 {
		mustIntend(t, j, route(n%4))
	}
	mustClose(t, j)
	if s := j.State(); s.Compactions == 0 || s.Housekeeping != nil || s.Records > 20 {
		t.Errorf("healed: %+v", s)
	}
	hasPrefixes(t, d, "closed", 0, 1, 2, 3)
}

// TestClose_Failure says what did not reach the disk, and does not wait for ever.
func TestClose_Failure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		var disk faults
		d.fail = disk.fail
		j, _ := mustOpen(t, d, runningClock(), Options{})
		mustIntend(t, j, route(1))
		j.Renew(prefix(1), time.Hour)
		disk.set(func(op, _ string) error {
			time.Sleep(time.Minute)
			return syscall.EIO
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := j.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := j.Close(context.Background()); !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		if j.Withdrawn(prefix(1)) || j.Renew(prefix(1), time.Hour) {
			t.Error("a closed journal takes changes")
		}
	})
}

// pause waits until the journal has tried again after a fault.
func pause(j *Journal) {
	time.Sleep(j.options.Retry + time.Millisecond)
	synctest.Wait()
}
