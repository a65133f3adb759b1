package cli

import "github.com/spf13/cobra"

func newAuth(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "auth",
		GroupID: groupLocal,
		Short:   "Look after logins",
	}
	cmd.AddCommand(newAuthRotateKeys(con))
	return cmd
}
