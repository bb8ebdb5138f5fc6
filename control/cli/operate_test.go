package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/control/api"
	"weir/control/api/apitest"
	"weir/control/brake"
)

func TestOperators(t *testing.T) {
	status, out, errOut := runAsk(serve(t, apitest.Sample()), "ban 203.0.113.7 --reason r --ttl 1h")
	if status != exitOK || errOut != "" || out != "announce 203.0.113.7 for 1h0m0s: r (dry run)\n" {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
	enforcing := apitest.Sample()
	enforcing.Data.Status.Mode = "enforce"
	socket := serve(t, enforcing)
	f := func(line string, want int, wantOut, wantErr string) {
		t.Helper()
		status, out, errOut := runAsk(socket, line)
		if status != want || out != wantOut || !strings.Contains(errOut, wantErr) ||
			(wantErr == "") != (errOut == "") {
			t.Errorf("weir %s: status %d, not %d; out %q, err %q", line, status, want, out, errOut)
		}
	}
	f("ban 203.0.113.7 --reason r --ttl 90m", 0, "announce 203.0.113.7 for 1h30m0s: r\n", "")
	f("ban 192.0.2.1 --reason r --ttl 1h", exitFailed, "",
		"weir: refused to announce 192.0.2.1: it is in none of the networks\n")
	f("unban 2001:db8::25 --reason r", 0, "withdraw 2001:db8::25/128: r\n", "")
	f("unban 192.0.2.1 --reason r", exitFailed, "", "weir: 192.0.2.1: not found\n")
	f("freeze", 0, "announcing is frozen; 2 stand until their leases end\n", "")
	f("withdraw-all", 0, "withdraw all 2, announcing is frozen\n", "")
	f("withdraw-all --expect 2", 0, "withdraw all 2, announcing is frozen\n", "")
	f("withdraw-all --expect 0", exitFailed, "", "not as many routes as expected: there are 2")
	for _, line := range []string{
		"ban 192.0.2.1 --reason r", "ban 192.0.2.1 --ttl 1h", "ban --reason r --ttl 1h",
		"ban 192.0.2.0/24 --reason r --ttl 1h", "ban example.org --reason r --ttl 1h",
		"ban fe80::1%eth0 --reason r --ttl 1h", "ban ::ffff:192.0.2.1 --reason r --ttl 1h",
		"ban 192.0.2.1 --reason r --ttl 0", "ban 192.0.2.1 --reason r --ttl -1h",
		"ban 192.0.2.1 --reason r --ttl 9000h", "ban 192.0.2.1 --reason r --ttl 1d",
		"ban 192.0.2.1 --reason \x1b[2J --ttl 1h", "ban 192.0.2.1 192.0.2.2 --reason r --ttl 1h",
		"unban 192.0.2.1", "unban --reason r", "unban 192.0.2.1 --reason r --ttl 1h",
		"freeze now", "freeze -o yaml", "freeze --off -o yaml", "withdraw-all all",
		"withdraw-all --expect -1", "withdraw-all --expect few",
	} {
		f(line, exitUsage, "", "weir: ")
	}
}

// TestOperatorsJSON has the answer be printed as it came, refusals too.
func TestOperatorsJSON(t *testing.T) {
	socket := serve(t, apitest.Sample())
	for line, want := range map[string]api.Outcome{
		"ban 203.0.113.7 --reason r --ttl 1h": {Type: "ban", OK: true, DryRun: true, Routes: 1,
			Text: "announce 203.0.113.7 for 1h0m0s: r"},
		"ban 192.0.2.1 --reason r --ttl 1h": {Type: "ban", DryRun: true,
			Refusal: "outside_networks",
			Text:    "refused to announce 192.0.2.1: it is in none of the networks"},
		"withdraw-all": {Type: "withdraw_all", OK: true, DryRun: true, Routes: 2,
			Text: "withdraw all 2, announcing is frozen"},
	} {
		var text bytes.Buffer
		if err := encodeLine(&text, want); err != nil {
			t.Fatal(err)
		}
		status, out, _ := runAsk(socket, line+" -o json")
		if out != text.String() || (status == exitOK) != want.OK {
			t.Errorf("weir %s: status %d, got %swant %s", line, status, out, text.String())
		}
	}
}

// nobody is a machine without a daemon: its configuration, its kill file, and its socket.
func nobody(t *testing.T) (file, kill, socket string) {
	t.Helper()
	dir := t.TempDir()
	file, socket = filepath.Join(dir, "weir.yaml"), filepath.Join(dir, "api.sock")
	text := fmt.Sprintf("version: 1\nnetworks: [10.0.0.0/16]\nstate_dir: %s\napi: {socket: %s}\n",
		dir, socket)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, brake.Path(dir), socket
}

// run runs a command line as it is.
func run(line string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = Main(strings.Fields(line), &o, &e)
	return status, o.String(), e.String()
}

func TestKillFile(t *testing.T) {
	file, kill, socket := nobody(t)
	f := func(line string, want int, wantOut, content string) {
		t.Helper()
		status, out, errOut := run(line + " -c " + file)
		if status != want || out != wantOut || (status == exitOK) != (errOut == "") {
			t.Errorf("weir %s: status %d, not %d; out %q, err %q", line, status, want, out, errOut)
		}
		data, err := os.ReadFile(kill)
		if string(data) != content || err != nil && content != "" {
			t.Errorf("weir %s: the kill file is %q, %v", line, data, err)
		}
		if names, _ := filepath.Glob(filepath.Join(filepath.Dir(kill), ".kill*")); names != nil {
			t.Errorf("weir %s: it leaves %v", line, names)
		}
	}
	const some = ": a weir that starts announces nothing new while it is there\n"
	const all = ": a weir that starts announces nothing while it is there; " +
		"routers drop what they learned when graceful restart ends\n"
	f("withdraw-all --expect 3", exitUnreachable, "", "")
	f("freeze --off", exitUnreachable, "", "")
	f("freeze", 0, "no daemon answers; wrote "+kill+some, "freeze\n")
	if info, err := os.Stat(kill); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	f("withdraw-all", 0, "no daemon answers; wrote "+kill+all, "withdraw\n")
	f("freeze", 0, "no daemon answers; left "+kill+`, which says "withdraw"`+all, "withdraw\n")
	f("withdraw-all", 0, "no daemon answers; wrote "+kill+all, "withdraw\n")
	f("freeze --off", 0, "no daemon answers; removed "+kill+
		": a weir that starts announces again\n", "")

	var got killAnswer
	status, out, _ := run("freeze -o json -c " + file)
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitOK ||
		got.Type != "kill_file" || got.Path != kill || got.Content != "freeze" ||
		strings.Count(out, "\n") != 1 || got.Time.IsZero() {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	status, _, errOut := run("freeze --socket " + socket + "x -c " + file)
	if status != exitOK || errOut != "" {
		t.Errorf("another socket: %d, %s", status, errOut)
	}
}

// TestKillFileOfADaemon has a daemon answer: no file is written, and --off removes one.
func TestKillFileOfADaemon(t *testing.T) {
	file, kill, socket := nobody(t)
	var asked []bool
	b := apitest.Sample()
	b.OnFreeze = func(_ context.Context, on bool) (api.Outcome, error) {
		asked = append(asked, on)
		return api.Outcome{Type: "freeze", OK: true, Text: "done"}, nil
	}
	serveAt(t, b, socket)
	if status, out, _ := run("freeze -c " + file); status != exitOK || out != "done\n" {
		t.Errorf("freeze: %d, %q", status, out)
	}
	if _, err := os.Lstat(kill); err == nil {
		t.Error("a kill file although a daemon answers")
	}
	if err := os.WriteFile(kill, []byte("withdraw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errOut := run("freeze --off -c " + file)
	if status != exitOK || out != "done\n" || errOut != "weir: removed "+kill+"\n" {
		t.Errorf("freeze --off: %d, %q, %q", status, out, errOut)
	}
	if _, err := os.Lstat(kill); err == nil || fmt.Sprint(asked) != "[true false]" {
		t.Errorf("the kill file stays, or the daemon was asked %v", asked)
	}
}

// TestKillFileThatCannotBe has neither a daemon nor a place for the file: that is said, with the
// status of a daemon that does not answer.
func TestKillFileThatCannotBe(t *testing.T) {
	f := func(line, wantErr string, prepare func(file, kill string) error) {
		t.Helper()
		file, kill, socket := nobody(t)
		if err := prepare(file, kill); err != nil {
			t.Fatal(err)
		}
		status, out, errOut := run(line + " -c " + file)
		if status == exitOK || out != "" || !strings.Contains(errOut, wantErr) ||
			!strings.HasPrefix(errOut, "weir: ") || strings.Count(errOut, "\n") != 1 {
			t.Errorf("weir %s: status %d, out %q, err %q", line, status, out, errOut)
		}
		if _, err := net.Dial("unix", socket); err == nil {
			t.Error("there is a daemon")
		}
	}
	f("withdraw-all", "no kill file", func(_, kill string) error { return os.Mkdir(kill, 0o700) })
	for _, line := range []string{"freeze", "freeze --off", "withdraw-all"} {
		f(line, "has errors, try: weir config check", func(file, _ string) error {
			return os.WriteFile(file, []byte("version: 7\n"), 0o600)
		})
		f(line, "no such file", func(file, _ string) error { return os.Remove(file) })
	}
	f("freeze", "no such file", func(file, _ string) error {
		text := "version: 1\nnetworks: [10.0.0.0/16]\nstate_dir: /nonexistent/weir\n" +
			"api: {socket: " + filepath.Join(filepath.Dir(file), "s") + "}\n"
		return os.WriteFile(file, []byte(text), 0o600)
	})
	// What has to be gone replaces a link, and follows none.
	file, kill, _ := nobody(t)
	elsewhere := filepath.Join(t.TempDir(), "precious")
	if err := os.Symlink(elsewhere, kill); err != nil {
		t.Fatal(err)
	}
	status, _, _ := run("withdraw-all -c " + file)
	info, err := os.Lstat(kill)
	if status != exitOK || err != nil || info.Mode()&fs.ModeType != 0 {
		t.Errorf("status %d, %v, %v", status, info, err)
	}
}
