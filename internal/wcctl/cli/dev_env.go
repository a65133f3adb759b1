package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

func newDevEnv(con *console, data *string) *cobra.Command {
	return &cobra.Command{
		Use:   "env SERVICE",
		Short: "Print the variables of a service's binary",
		Long: `Print the variables that a service's binary takes, as KEY=value lines, to run one more
process of it against the running stack. They hold passwords.`,
		Example: `  wcctl dev env waste > waste.env
  env $(wcctl dev env waste) go run ./cmd/waste work
  env $(wcctl dev env waste) WASTE_HTTP_ADDR=127.0.0.1:8090 go run ./cmd/waste serve`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runDevEnv(con, devFolder(con, *data), args[0])
		},
	}
}

func runDevEnv(con *console, data dev.Folder, service string) error {
	info, err := dev.Find(data)
	if err != nil {
		return devError(con, err, data)
	}
	environ, known := info.Environ[service]
	if !known {
		return usageErrorf("wcctl dev env", "there is no service %q, but %s", service,
			strings.Join(slices.Sorted(maps.Keys(info.Environ)), ", "))
	}
	for _, line := range dev.WithAddr(environ, service, "127.0.0.1:0") {
		if _, err := fmt.Fprintln(con.out, line); err != nil {
			return err
		}
	}
	return nil
}
