package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"weir/control/brake"
	"weir/control/config"
)

// load reads the configuration; nil where none is named and there is none.
func (b *brakes) load() (*config.Config, error) {
	path := *b.config
	if path == "" {
		path = config.DefaultPath
	}
	c, findings, err := config.Load(path)
	switch {
	case *b.config == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && len(findings) > 0:
		return nil, fmt.Errorf("%s has errors, try: weir config check %s", path, path)
	}
	return c, err
}

// place has the socket be that of the configuration, where one is named and no socket is.
func (b *brakes) place(cmd *cobra.Command) error {
	if *b.config == "" || cmd.Flags().Changed("socket") {
		return nil
	}
	c, err := b.load()
	if err == nil {
		*b.socket = c.API.Socket
	}
	return err
}

// killPath returns where a daemon looks for the kill file. A configuration that cannot be read may
// name any place: a file at the wrong one would only look like safety.
func (b *brakes) killPath() (string, error) {
	c, err := b.load()
	if err != nil {
		return "", err
	}
	if c == nil {
		standard := config.Default()
		c = &standard
	}
	return brake.Path(c.StateDir), nil
}
