package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The groups of the root command's help, in their order there.
const (
	groupLocal   = "local"
	groupCluster = "cluster"
	groupOperate = "operate"
	groupApp     = "app"
	groupMeasure = "measure"
)

const holdsOthers = "holds-others"

// newRoot returns wcctl with all its commands.
func newRoot(con *console) *cobra.Command {
	root := &cobra.Command{
		Use:   "wcctl",
		Short: "Run Waste Coach, and use it from a terminal",
		Long: `wcctl runs Waste Coach on this machine and uses it from a terminal:
a photo of waste goes in, how to dispose of it and where comes out.`,
		Example: `  wcctl dev                                  # the whole system on this machine
  wcctl analyze photo.jpg                    # what is it, and where does it go?
  wcctl analyze *.jpg --location 37.57,126.98 -o json`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().BoolVar(&con.noColor, "no-color", false,
		"print without colors, as NO_COLOR=1 does")
	addCommands(root,
		newDev(con),
		newMachine(con),
		newMigrate(con),
		newAuth(con),
		newLocations(con),
		newInit(con),
		newPlan(con),
		newUp(con),
		newDown(con),
		newUnlock(con),
		newConfig(con),
		newStatus(con),
		newNode(con),
		newUpgrade(con),
		newBackup(con),
		newDoctor(con),
		newKubeconfig(con),
		newCost(con),
		newBundle(con),
		newBuild(con),
		newDeploy(con),
		newRollback(con),
		newHistory(con),
		newDiff(con),
		newLogs(con),
		newTop(con),
		newQueue(con),
		newJob(con),
		newAnalyze(con),
		newLogin(con),
		newLogout(con),
		newOpenAPI(con),
		newBench(con),
		newChanged(con),
		newVersion(con),
		newExitCodes(),
	)
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	// A command that only holds others is runnable for its errors alone.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}",
		`{{if and .Runnable (not (index .Annotations "`+holdsOthers+`"))}}`, 1))
	finish(root, con)
	return root
}

// addCommands adds the commands and those groups that they are in.
func addCommands(root *cobra.Command, commands ...*cobra.Command) {
	for _, group := range []*cobra.Group{
		{ID: groupLocal, Title: "On this machine:"},
		{ID: groupCluster, Title: "The cluster, from wastecoach.yaml:"},
		{ID: groupOperate, Title: "The running system:"},
		{ID: groupApp, Title: "The app in a terminal:"},
		{ID: groupMeasure, Title: "Measure:"},
	} {
		if slices.ContainsFunc(commands, func(c *cobra.Command) bool { return c.GroupID == group.ID }) {
			root.AddGroup(group)
		}
	}
	root.AddCommand(commands...)
}

// finish gives all commands below cmd what cobra leaves open: usage faults exit with exitUsage, and
// a command that only holds others knows which words are none of them.
func finish(cmd *cobra.Command, con *console) {
	cmd.Flags().SortFlags = false
	for _, child := range cmd.Commands() {
		finish(child, con)
	}
	switch run := cmd.RunE; {
	case run != nil:
		cmd.RunE = func(c *cobra.Command, args []string) error {
			con.started = true
			return run(c, args)
		}
	case cmd.HasAvailableSubCommands():
		cmd.RunE = onlyHoldsOthers
		cmd.Annotations = map[string]string{holdsOthers: "yes"}
	}
}

func onlyHoldsOthers(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return unknownCommand(c, args[0])
}

func unknownCommand(c *cobra.Command, word string) error {
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return &Error{
			Cause: usageErrorf("", "unknown command %q for %q", word, c.CommandPath()).Cause,
			Hint:  c.CommandPath() + " " + near[0], ExitCode: exitUsage,
		}
	}
	return usageErrorf(c.CommandPath(), "unknown command %q for %q", word, c.CommandPath())
}
