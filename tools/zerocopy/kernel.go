package zerocopy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where the kernel comes from. Linux 6.12 has no zero-copy in virtio-net that works here, and from
// 6.19 on Debian splits the package.
const (
	suite  = "trixie-backports"
	series = "6.18."
	flavor = "-cloud-amd64"
	prefix = "linux-image-"
)

// ErrNoKernel says that the kernel package cannot be had on this machine.
var ErrNoKernel = errors.New("no kernel with zero-copy in virtio-net")

// Kernel is what is taken of a kernel package.
type Kernel struct {
	Release string
	Image   string   // file
	Modules []string // files, in the order in which they are loaded
}

// modules are the names of those that a network card needs.
func modules() []string { return []string{"failover", "net_failover", "virtio_net"} }

// FindKernel returns the kernel in the folder cache, after fetching it if there is none. The error
// is ErrNoKernel if it cannot be had.
func FindKernel(ctx context.Context, cache string) (*Kernel, error) {
	if k, ok := cached(cache); ok {
		return k, nil
	}
	if err := fetch(ctx, cache); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoKernel, err)
	}
	k, ok := cached(cache)
	if !ok {
		return nil, fmt.Errorf("%w: the package lacks the image or a module", ErrNoKernel)
	}
	return k, nil
}

// cached returns the newest kernel in the cache.
func cached(cache string) (*Kernel, bool) {
	images, _ := filepath.Glob(filepath.Join(cache, series+"*"+flavor, "vmlinuz")) // cannot fail
	slices.SortFunc(images, func(a, b string) int {
		return newer(filepath.Base(filepath.Dir(a)), filepath.Base(filepath.Dir(b)))
	})
	for _, image := range slices.Backward(images) {
		k := &Kernel{Release: filepath.Base(filepath.Dir(image)), Image: image}
		for _, name := range modules() {
			files, _ := filepath.Glob(filepath.Join(filepath.Dir(image), name+".ko*"))
			k.Modules = append(k.Modules, files...)
		}
		if len(k.Modules) == len(modules()) {
			return k, true
		}
	}
	return nil, false
}

// fetch downloads the newest kernel package of the series and unpacks it into the cache.
func fetch(ctx context.Context, cache string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is found by whoever clears the cache
	a, err := openSuite(ctx, dir)
	if err != nil {
		return err
	}
	name, err := a.newest(ctx)
	if err != nil {
		return err
	}
	deb, err := a.download(ctx, name)
	if err != nil {
		return err
	}
	release := strings.TrimPrefix(name, prefix)
	unpacked := filepath.Join(dir, release)
	if err := unpack(ctx, deb, unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	err = os.Rename(unpacked, filepath.Join(cache, release))
	if errors.Is(err, os.ErrExist) { // somebody else was faster
		return nil
	}
	return err
}

// unpack takes the image and the modules out of a package.
func unpack(ctx context.Context, deb, into string) (err error) {
	if err := os.Mkdir(into, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	taken := take(tar.NewReader(out), into)
	_, drained := io.Copy(io.Discard, out)
	return errors.Join(taken, drained, cmd.Wait())
}

func take(t *tar.Reader, into string) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		base := path.Base(h.Name)
		stem, _, _ := strings.Cut(base, ".")
		switch {
		case h.Typeflag != tar.TypeReg:
			continue
		case strings.HasPrefix(base, "vmlinuz-"):
			base = "vmlinuz"
		case !strings.Contains(base, ".ko") || !slices.Contains(modules(), stem):
			continue
		}
		if err := save(filepath.Join(into, base), t); err != nil {
			return err
		}
	}
}

func save(name string, r io.Reader) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// newer compares releases by the numbers in them: 6.18.9 is before 6.18.15.
func newer(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

func numbers(s string) (all []int) {
	for _, field := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return all // longer than any version's
		}
		all = append(all, n)
	}
	return all
}
