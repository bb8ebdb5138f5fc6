package cli

import (
	"github.com/spf13/cobra"

	"weir/control/bgp/speaker"
)

// newSpeaker is what weir starts itself as, to speak BGP in a process of its own.
func newSpeaker() *cobra.Command {
	return &cobra.Command{
		Use:    "speaker",
		Short:  "speak BGP, as the child of weir run",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return speaker.Child() },
	}
}
