package cli

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/tools/blast"
	"weir/tools/blast/wire"
)

// writeBlast writes what would be sent to a file, or to standard output, where the result would
// be in the way.
func writeBlast(cmd *cobra.Command, path string, c *wire.Config, asJSON bool) error {
	if c.Shape.PPS == 0 || len(c.Cores) > 0 {
		return usageError("a file has a --rate that is not max, and no --cores")
	}
	classic, zip, err := captureFormat(path)
	if err != nil {
		return err
	}
	o := blast.CaptureOptions{
		Seed: c.Seed, Frames: c.Total(), At: c.Shape.At, Classic: classic, Dst: c.Dst, Src: c.Src,
	}
	if path == "-" {
		if terminal(cmd.OutOrStdout()) {
			return usageError("--write - needs a pipe or a file: a capture is nothing to look at")
		}
		size, err := c.Load.Capture(cmd.OutOrStdout(), o)
		if err != nil {
			return fmt.Errorf("write frames: %w", err)
		}
		return printBlast(cmd.ErrOrStderr(), written(path, c, &o, size), asJSON)
	}
	size, err := writeFrames(path, zip, &c.Load, o)
	if err != nil {
		return err
	}
	return printBlast(cmd.OutOrStdout(), written(path, c, &o, size), asJSON)
}

// captureFormat returns what a file is to be by its name: pcap or else pcapng, compressed or not.
// A name that says something else is an error: it would lie.
func captureFormat(path string) (classic, zip bool, err error) {
	name, zip := strings.CutSuffix(strings.ToLower(path), ".gz")
	switch ext := filepath.Ext(name); {
	case ext == ".pcap" || ext == ".cap":
		return true, zip, nil
	case slices.Contains([]string{".zst", ".xz", ".bz2", ".lz4", ".zip", ".gz"}, ext):
		return false, false, usageError("--write is %q, which is not written: a name ends in "+
			".pcapng or .pcap, and perhaps .gz", path)
	}
	return false, zip, nil
}

// writeFrames writes frames of a load to a file, and returns how many bytes they have.
func writeFrames(path string, zip bool, l *blast.Load, o blast.CaptureOptions) (uint64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("write frames: %w", err)
	}
	var size uint64
	if zip {
		size, err = compressed(file, l, o)
	} else {
		size, err = l.Capture(file, o)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("write frames to %s: %w", path, err)
	}
	return size, nil
}

func compressed(out io.Writer, l *blast.Load, o blast.CaptureOptions) (uint64, error) {
	packed := gzip.NewWriter(out)
	size, err := l.Capture(packed, o)
	return size, errors.Join(err, packed.Close())
}

// written returns a result as a send has it: the time is that in which the frames would be sent.
func written(path string, c *wire.Config, o *blast.CaptureOptions, size uint64) *wire.Result {
	r := &wire.Result{
		Type: "blast", File: path, Load: c.Load.Name, Via: wire.File, Sent: o.Frames, Bytes: size,
		Seconds: o.At(o.Frames).Seconds(), Cores: []wire.Core{},
	}
	if r.Seconds > 0 {
		r.PPS, r.BPS = float64(r.Sent)/r.Seconds, 8*float64(size)/r.Seconds
	}
	return r
}
