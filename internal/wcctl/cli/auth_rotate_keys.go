package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
	"github.com/wastecoach/wastecoach/services/auth"
)

type rotateOptions struct {
	dsn           string
	masterKeyFile string
}

func newAuthRotateKeys(con *console) *cobra.Command {
	var (
		opts   rotateOptions
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "rotate-keys",
		Short: "Sign access tokens with a new key from now on",
		Long: `Sign access tokens with a new key from now on. Nobody is signed out and nothing restarts: the
new key is published at once and signs a few minutes later, when all have it; the old one
stays published until its last token has expired.

The database is that of --dsn, else of WCCTL_DSN, else of the running wcctl dev. Its role must be
auth, migrator or a superuser. Beyond wcctl dev, AUTH_MASTER_KEY, or the file that
--master-key-file or AUTH_MASTER_KEY_FILE names, must hold the master key of the auth service.`,
		Example: `  wcctl auth rotate-keys
  wcctl auth rotate-keys --dsn postgres://migrator@HOST/wastecoach --master-key-file master.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAuthRotateKeys(cmd.Context(), con, opts, format)
		},
	}
	cmd.Flags().StringVar(&opts.dsn, "dsn", "",
		"database as postgres://… (default: WCCTL_DSN, else the running wcctl dev)")
	cmd.Flags().StringVar(&opts.masterKeyFile, "master-key-file", "", "file with the auth service's master key")
	format.register(cmd)
	return cmd
}

func runAuthRotateKeys(ctx context.Context, con *console, opts rotateOptions, format outputFormat) error {
	dsn, masterKey, err := opts.find(con)
	if err != nil {
		return err
	}
	rotation, err := auth.RotateKeys(ctx, dsn, masterKey)
	switch {
	case errors.Is(err, auth.ErrMasterKey):
		return &Error{Op: "rotating the signing keys", Cause: errors.New(
			"the master key is not the one that sealed the keys in this database")}
	case err != nil:
		return &Error{Op: "rotating the signing keys", Cause: err}
	case format == outputJSON:
		return writeJSON(con.out, rotation)
	}
	_, err = fmt.Fprint(con.out, rotationText(rotation))
	return err
}

func rotationText(r auth.Rotation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "new key   %s  published now, signs from %s\n", r.KeyID,
		r.SignsFrom.Local().Format(time.DateTime))
	for _, id := range r.Retiring {
		fmt.Fprintf(&b, "old key   %s  published until %s\n", id, r.RetiredAt.Local().Format(time.DateTime))
	}
	return b.String()
}

// find returns the database and the master key that belongs to it.
func (o rotateOptions) find(con *console) (dsn, masterKey env.Secret, err error) {
	dsn = env.Secret(o.dsn)
	if dsn == "" {
		dsn = env.Secret(con.getenv("WCCTL_DSN"))
	}
	if dsn == "" {
		return devAuth(con)
	}
	masterKey, err = o.masterKey(con)
	return dsn, masterKey, err
}

func (o rotateOptions) masterKey(con *console) (env.Secret, error) {
	path := o.masterKeyFile
	if path == "" {
		if key := con.getenv("AUTH_MASTER_KEY"); key != "" {
			return env.Secret(key), nil
		}
		path = con.getenv("AUTH_MASTER_KEY_FILE")
	}
	if path == "" {
		return "", usageErrorf("wcctl auth rotate-keys",
			"the master key is missing: neither --master-key-file nor AUTH_MASTER_KEY is set")
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the master key: %w", err)
	}
	return env.Secret(strings.TrimSpace(string(key))), nil
}

// devAuth takes both from the running wcctl dev.
func devAuth(con *console) (dsn, masterKey env.Secret, err error) {
	info, err := dev.Find(devFolder(con, ""))
	if errors.Is(err, dev.ErrNotRunning) {
		return "", "", &Error{
			Cause:    errors.New("there are no keys to rotate: neither --dsn nor WCCTL_DSN, and " + err.Error()),
			Hint:     "wcctl dev --detach\nexport WCCTL_DSN=postgres://migrator@HOST/wastecoach",
			ExitCode: exitUsage,
		}
	}
	if err != nil {
		return "", "", err
	}
	cfg, err := auth.LoadConfig(info.Environ["auth"])
	if err != nil {
		return "", "", fmt.Errorf("reading the auth service's configuration: %w", err)
	}
	return cfg.Postgres.DSN, cfg.MasterKey, nil
}
