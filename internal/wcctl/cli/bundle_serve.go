package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/release"
)

// bundleHeaderTimeout ends a client that sends nothing.
const bundleHeaderTimeout = 10 * time.Second

func newBundleServe(con *console) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve a bundle over HTTP, as up does to its machines",
		Long: `serve answers under /files/ with programs, under /debs/ as a flat apt repository and under /v2/ as a
mirror of all image registries. It is for reading only and asks for no password: keep it on an
address that only the machines reach.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBundleServe(cmd.Context(), con, args[0], listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", release.BundleAddress, "address to listen on")
	return cmd
}

func runBundleServe(ctx context.Context, con *console, dir, listen string) error {
	b, err := openBundle(dir)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("serving the bundle: %w", err)
	}
	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: bundleHeaderTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(con.err, "Serving %s on http://%s until interrupted\n", dir, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the bundle: %w", err)
	}
	return nil
}
