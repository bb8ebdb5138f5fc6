package zerocopy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// keyring is where Debian keeps the keys that its archives are signed with. Where it is missing
// apt looks at all keys that the machine trusts; where it lacks the suite's key, apt refuses.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// apt is the machine's apt with lists and sources of its own: what the machine has installed, and
// from where, is left alone.
type apt struct{ dir string }

// openSuite fetches the lists of the suite, from where the machine's own Debian packages come.
func openSuite(ctx context.Context, dir string) (*apt, error) {
	bases, err := debianSources(ctx)
	if err != nil {
		return nil, err
	}
	a := &apt{dir: dir}
	for _, folder := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return nil, err
		}
	}
	var errs []error
	for _, base := range bases {
		if err := a.update(ctx, base); err != nil {
			errs = append(errs, err)
			continue
		}
		return a, nil
	}
	return nil, errors.Join(errs...)
}

// debianSources returns where the machine has Debian's own packages from.
func debianSources(ctx context.Context) ([]string, error) {
	out, err := output(exec.CommandContext(ctx, "apt-get", "indextargets", "--format",
		"$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"))
	if err != nil {
		return nil, fmt.Errorf("ask apt for its sources: %w", err)
	}
	bases := basesOf(string(out))
	if len(bases) == 0 {
		return nil, errors.New("apt has no source of Debian packages")
	}
	return bases, nil
}

// basesOf reads apt's list of what it fetches: origin, label and base of each, where the first two
// are empty before the first update.
func basesOf(list string) (bases []string) {
	for line := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue
		}
		u, err := url.Parse(f[2])
		debian := f[0] == "Debian" && f[1] == "Debian" ||
			f[0] == "" && err == nil && path.Base(u.Path) == "debian"
		if debian && !slices.Contains(bases, f[2]) {
			bases = append(bases, f[2])
		}
	}
	return bases
}

func (a *apt) update(ctx context.Context, base string) error {
	source := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n"+
		"Architectures: amd64\n", base, suite)
	if _, err := os.Stat(keyring); err == nil {
		source += "Signed-By: " + keyring + "\n"
	}
	file := filepath.Join(a.dir, "suite.sources")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		return err
	}
	_, err := output(a.command(ctx, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"))
	return err
}

// command returns an apt program that sees this suite alone.
func (a *apt) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	options := []string{
		"-o", "Dir::Etc::SourceList=" + filepath.Join(a.dir, "suite.sources"),
		"-o", "Dir::Etc::SourceParts=/dev/null", "-o", "Dir::Etc::PreferencesParts=/dev/null",
		"-o", "Dir::State::Lists=" + filepath.Join(a.dir, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(a.dir, "cache"),
		"-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64",
		"-o", "APT::Sandbox::User=root", // any other may not write here
		"-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30",
		"-o", "APT::Update::Post-Invoke::=true", "-o", "APT::Update::Post-Invoke-Success::=true",
	}
	cmd := exec.CommandContext(ctx, program, append(options, args...)...)
	cmd.Dir = a.dir
	return cmd
}

// newest returns the name of the newest kernel package of the series.
func (a *apt) newest(ctx context.Context) (string, error) {
	out, err := output(a.command(ctx, "apt-cache", "pkgnames", prefix+series))
	if err != nil {
		return "", err
	}
	var names []string
	for name := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(name, prefix+series) && strings.HasSuffix(name, flavor) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("%s has no %s%s*%s", suite, prefix, series, flavor)
	}
	return slices.MaxFunc(names, newer), nil
}

// download returns the file of a package. apt has checked it against the lists, and those against
// their signature.
func (a *apt) download(ctx context.Context, name string) (string, error) {
	if _, err := output(a.command(ctx, "apt-get", "-q", "download", name)); err != nil {
		return "", err
	}
	files, _ := filepath.Glob(filepath.Join(a.dir, name+"_*.deb")) // cannot fail
	if len(files) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d files", name, len(files))
	}
	return files[0], nil
}

// output runs cmd; the error has the end of what it said.
func output(cmd *exec.Cmd) ([]byte, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		text := strings.TrimSpace(said.String())
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err,
			text[max(0, len(text)-500):])
	}
	return out, nil
}
