package brake

import (
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, path string) Brake {
	t.Helper()
	b, err := Read(path)
	if err != nil {
		t.Error(err)
	}
	return b
}

func TestRead(t *testing.T) {
	path := Path(t.TempDir())
	if read(t, path) != Off {
		t.Error("no file, and it brakes")
	}
	f := func(text string, want Brake) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	f("freeze\n", Freeze)
	f("withdraw\n", Withdraw)
	f("", Withdraw)
	f("freeze, please", Withdraw)
	f("\x00\xff", Withdraw)
}

// A folder, a link to nowhere or a pipe in its place is there, and nobody waits for it.
func TestReadOther(t *testing.T) {
	f := func(place func(path string) error) {
		t.Helper()
		path := Path(t.TempDir())
		if err := place(path); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != Withdraw {
			t.Errorf("%v", got)
		}
	}
	f(func(path string) error { return os.Mkdir(path, 0o700) })
	f(func(path string) error { return os.Symlink("nowhere", path) })
}

// What cannot be looked for asks for nothing, and is said.
func TestRead_Failure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(Path(file)); err == nil || b != Off {
		t.Errorf("in a file that is no folder: %v, %v", b, err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := Path(dir)
	f := func(want, then Brake) {
		t.Helper()
		if b, err := Write(path, want); err != nil || b != then || read(t, path) != then {
			t.Errorf("wrote %v: says %v, reads %v, %v", want, b, read(t, path), err)
		}
	}
	f(Freeze, Freeze)
	f(Withdraw, Withdraw)
	f(Freeze, Withdraw) // never less
	if info, err := os.Stat(path); err != nil || info.Mode() != mode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, was := range []bool{true, false} {
		if removed, err := Remove(path); err != nil || removed != was || read(t, path) != Off {
			t.Errorf("removed %v, %v", removed, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrite_Failure(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := Path(dir)
	if err := os.Symlink(precious, path); err != nil {
		t.Fatal(err)
	}
	if b, err := Write(path, Freeze); err != nil || b != Withdraw {
		t.Errorf("a link is there already, which asks for more: %v, %v", b, err)
	}
	if b, err := Write(path, Withdraw); err != nil || b != Withdraw || read(t, path) != Withdraw {
		t.Errorf("a link is replaced: %v, %v", b, err)
	}
	if data, _ := os.ReadFile(precious); string(data) != "x" {
		t.Errorf("a link was followed: %q", data)
	}
	if _, err := Write(Path(filepath.Join(dir, "none")), Freeze); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}
