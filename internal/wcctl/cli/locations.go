package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
	"github.com/wastecoach/wastecoach/services/locations"
)

const locationsDSN = "LOCATIONS_POSTGRES_DSN"

func newLocations(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "locations",
		GroupID: groupLocal,
		Short:   "Fill the map of collection points",
	}
	cmd.AddCommand(newLocationsImport(con))
	return cmd
}

// findLocationsDSN takes the flag's database, else the environment's, else that of the running stack.
func findLocationsDSN(con *console, flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if dsn := con.getenv(locationsDSN); dsn != "" {
		return dsn, nil
	}
	info, err := dev.Find(devFolder(con, ""))
	if errors.Is(err, dev.ErrNotRunning) {
		return "", &Error{
			Cause:    fmt.Errorf("there is no database to import to: neither --dsn nor %s, and %w", locationsDSN, err),
			Hint:     "wcctl dev --detach\nexport " + locationsDSN + "=postgres://locations@HOST/wastecoach",
			ExitCode: exitUsage,
		}
	}
	if err != nil {
		return "", err
	}
	cfg, err := locations.LoadConfig(info.Environ["locations"])
	if err != nil {
		return "", err
	}
	return cfg.Postgres.DSN.Reveal(), nil
}
