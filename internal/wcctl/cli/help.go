package cli

import (
	"github.com/spf13/cobra"
)

// newHelp replaces cobra's own, which ends with 0 for a topic that does not exist.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command or a topic",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || topic == nil {
				return usageErrorf("wcctl", "no help on %q", args)
			}
			if len(rest) > 0 {
				return unknownCommand(topic, rest[0])
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `wcctl ends with one of these codes:

    0  done
    1  failed: at least one thing that was asked for did not happen
    2  usage: the command line is wrong, nothing was tried
    3  there are changes to make (wcctl plan, wcctl diff)
  130  interrupted by Ctrl-C or SIGTERM; a second one ends at once`,
	}
}
