package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"weir/control/config"
	"weir/control/daemon"
	"weir/control/logs"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run -c weir.yaml",
		Short: "the daemon: capture, detect, keep evidence, answer",
		Long: `Run weir on the interfaces that the configuration names, until SIGTERM. SIGHUP, and
weir reload, take on a changed configuration. Logs go to standard error.`,
		Args: cobra.NoArgs,
	}
	path := cmd.Flags().StringP("config", "c", config.DefaultPath, "configuration file")
	asJSON := cmd.Flags().Bool("log-json", false, "log one JSON object per line")
	verbose := cmd.Flags().BoolP("verbose", "v", false, "log details too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(cmd, *path, config.LoadAll)
		if err != nil {
			return err
		}
		level := slog.LevelInfo
		if *verbose {
			level = slog.LevelDebug
		}
		log, limiter := logs.New(cmd.ErrOrStderr(), logs.Options{Level: level, JSON: *asJSON})
		d, err := daemon.New(c, daemon.Options{
			Path: *path, Version: version, Log: log, Hidden: limiter.Hidden,
		})
		if err != nil {
			return err
		}
		return d.Run(cmd.Context())
	}
	return cmd
}
