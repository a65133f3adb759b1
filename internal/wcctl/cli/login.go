package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/client"
)

type loginOptions struct {
	server    server
	provider  string
	noBrowser bool
}

func newLogin(con *console) *cobra.Command {
	var opts loginOptions
	cmd := &cobra.Command{
		Use:     "login",
		GroupID: groupApp,
		Short:   "Log in to a server and keep the login",
		Long: `Log in to a server and keep the login in credentials.json below
$XDG_CONFIG_HOME/wastecoach (default ~/.config/wastecoach), readable by you alone.

A browser on this machine ends the login by itself. A browser anywhere else ends at
an address that it cannot open: paste that address here.`,
		Example: `  wcctl login
  wcctl login --server https://waste.example.org --provider kakao`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLogin(cmd.Context(), con, opts)
		},
	}
	opts.server.register(cmd)
	cmd.Flags().StringVar(&opts.provider, "provider", "",
		"who to log in with (default: the server's first)")
	cmd.Flags().BoolVar(&opts.noBrowser, "no-login-browser", false,
		"print the login's address without opening a browser")
	return cmd
}

func runLogin(ctx context.Context, con *console, opts loginOptions) error {
	c, err := opts.server.connect(ctx, con)
	if err != nil {
		return err
	}
	s := &signIn{
		con: con, client: c, provider: opts.provider, noBrowser: opts.noBrowser, asked: true,
	}
	tokens, err := s.run(ctx)
	if err != nil {
		return withHint("logging in", err, c.BaseURL())
	}
	fmt.Fprintf(con.out, "Logged in to %s as user %s\n", c.BaseURL(), tokens.UserID)
	return nil
}

func newLogout(con *console) *cobra.Command {
	var srv server
	cmd := &cobra.Command{
		Use:     "logout",
		GroupID: groupApp,
		Short:   "End the login at a server and forget it",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLogout(cmd.Context(), con, srv)
		},
	}
	srv.register(cmd)
	return cmd
}

// runLogout forgets the login here even where the server cannot be told.
func runLogout(ctx context.Context, con *console, srv server) error {
	c, err := srv.connect(ctx, con)
	if err != nil {
		return err
	}
	kept := credentialsFile(con).login(c.BaseURL())
	var old client.Tokens
	_, err = kept.Update(ctx, func(t client.Tokens) (client.Tokens, error) {
		old = t
		return client.Tokens{}, nil
	})
	if err != nil {
		return withHint("logging out", err, c.BaseURL())
	}
	if old.RefreshToken == "" {
		fmt.Fprintf(con.out, "There is no login at %s\n", c.BaseURL())
		return nil
	}
	if err := c.Logout(ctx, old); err != nil {
		return &Error{Op: "telling " + c.BaseURL() + " (the login is forgotten here)", Cause: err}
	}
	fmt.Fprintf(con.out, "Logged out of %s\n", c.BaseURL())
	return nil
}

// withHint says what was being done and what to do now; an Error says that already.
func withHint(op string, err error, address string) error {
	if _, ok := err.(*Error); ok { //nolint:errorlint // a wrapped one is not the whole story
		return err
	}
	return &Error{Op: op, Cause: err, Hint: hint(err, address)}
}
