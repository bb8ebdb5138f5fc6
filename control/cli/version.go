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
	AMD64    string   `json:"goamd64,omitempty"` // v2 to v4: the CPUs that it needs
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
		platform := strings.TrimSpace(info.Platform + " " + info.AMD64)
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "weir %s (%s, %s)\ncapture engines: %s\n",
			info.Version, platform, info.Go, strings.Join(info.Engines, ", "))
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
			switch {
			case s.Key == "vcs.revision":
				info.Revision = s.Value
			case s.Key == "GOAMD64" && s.Value != "v1":
				info.AMD64 = s.Value
			}
		}
	}
	return info
}
