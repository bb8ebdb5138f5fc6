package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker in releases.
var version = "dev"

// versionInfo is what `weir version` prints.
type versionInfo struct {
	Type     string   `json:"type"`
	Version  string   `json:"version"`
	Revision string   `json:"revision,omitempty"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Engines  []string `json:"engines"`
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "version, platform, capture engines in this build",
		Args:  cobra.NoArgs,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		info := readVersion()
		if asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(info)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "weir %s (%s, %s)\ncapture engines: %s\n",
			info.Version, info.Platform, info.Go, strings.Join(info.Engines, ", "))
		return err
	}
	return cmd
}

// engines returns the ways of capture in this build.
func engines() []string {
	if runtime.GOOS == "linux" {
		return []string{"afxdp", "afpacket", "replay"}
	}
	return []string{"replay"}
}

func readVersion() versionInfo {
	info := versionInfo{
		Type:     "version",
		Version:  version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Engines:  engines(),
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				info.Revision = s.Value
			}
		}
	}
	return info
}
