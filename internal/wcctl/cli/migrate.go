package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

const defaultLockWait = 5 * time.Minute

// migrateOptions are those of all commands that reach a database.
type migrateOptions struct {
	dsn     string
	schemas []string
	wait    time.Duration
}

func newMigrate(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "migrate",
		GroupID: groupLocal,
		Short:   "Bring the database's schemas to a version",
		Long: `Bring the database's schemas to a version. The migrations are built into wcctl.

The database is that of --dsn, else of WCCTL_DSN, else of the running wcctl dev. Its role must be
migrator or a superuser; each schema's migrations run as the role that owns it.`,
	}
	cmd.AddCommand(
		newMigrateUp(con), newMigrateDown(con), newMigrateStatus(con), newMigrateCreate(con),
		newMigrateRepair(con),
	)
	return cmd
}

func (o *migrateOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dsn, "dsn", "",
		"database as postgres://… (default: WCCTL_DSN, else the running wcctl dev)")
	cmd.Flags().DurationVar(&o.wait, "wait", defaultLockWait, "how long to wait for another run")
}

func (o *migrateOptions) registerSchemas(cmd *cobra.Command) {
	o.register(cmd)
	cmd.Flags().StringSliceVar(&o.schemas, "schema", nil, "only these schemas (default: all)")
}

// runner tells on standard error what it waits for and what it has done.
func (o *migrateOptions) runner(con *console) (*migrate.Runner, error) {
	dsn, err := o.findDSN(con)
	if err != nil {
		return nil, err
	}
	return migrate.New(migrate.Config{
		DSN: dsn, LockTimeout: o.wait,
		OnWait: func(h migrate.Holder) {
			fmt.Fprintf(con.err, "Waiting for another migration run: %s\n", h)
		},
		OnStep: func(s migrate.Step) {
			fmt.Fprintf(con.err, "  %-4s  %6s  %s/%s\n", s.Direction, seconds(s.Took), s.Schema, s.File)
		},
	}), nil
}

func (o *migrateOptions) findDSN(con *console) (string, error) {
	if o.dsn != "" {
		return o.dsn, nil
	}
	if dsn := con.getenv("WCCTL_DSN"); dsn != "" {
		return dsn, nil
	}
	info, err := dev.Find(devFolder(con, ""))
	if errors.Is(err, dev.ErrNotRunning) {
		return "", &Error{
			Cause:    errors.New("there is no database to migrate: neither --dsn nor WCCTL_DSN, and " + err.Error()),
			Hint:     "wcctl dev --detach\nexport WCCTL_DSN=postgres://migrator@HOST/wastecoach",
			ExitCode: exitUsage,
		}
	}
	return info.Migrator, err
}

// migrateError adds what to do now.
func migrateError(err error) error {
	var half *migrate.HalfAppliedError
	switch {
	case errors.As(err, &half) && half.Mark.Running:
		return &Error{Cause: err, Hint: "wcctl migrate status"}
	case errors.As(err, &half):
		repair := fmt.Sprintf("wcctl migrate repair --schema %s --version %d ", half.Schema,
			half.Mark.Version)
		return &Error{Cause: err, Hint: repair + "--applied   # once you have done the rest by hand\n" +
			repair + "--pending   # once you have undone the part by hand"}
	case errors.Is(err, migrate.ErrLocked):
		return &Error{Cause: err, Hint: "wcctl migrate up --wait 30m"}
	case err != nil:
		return &Error{Cause: err, Hint: "wcctl migrate status"}
	}
	return nil
}
