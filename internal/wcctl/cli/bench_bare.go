package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

// bareCommand is what bench poll starts itself again as: a process of its own, as the service is.
const bareCommand = "bare"

// bareConfig goes to the child's standard input, where no process list shows the password.
type bareConfig struct {
	Addr     string `json:"addr"`
	Password string `json:"password"`
	FirstDB  int    `json:"first_db"`
}

func newBenchBare(con *console) *cobra.Command {
	return &cobra.Command{
		Use: bareCommand, Short: "Serve the bare handler of bench poll", Hidden: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBenchBare(cmd.Context(), con) },
	}
}

// runBenchBare prints its address and serves until its standard input ends.
func runBenchBare(ctx context.Context, con *console) error {
	in := bufio.NewReader(con.in)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	var cfg bareConfig
	if err := json.Unmarshal(line, &cfg); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	address, stop, err := bench.ServeBare(ctx, redisdb.Config{
		Addr: cfg.Addr, Password: env.Secret(cfg.Password), FirstDB: cfg.FirstDB,
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(con.out, address); err != nil {
		return errors.Join(err, stop())
	}
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, stop())
}

// startBare runs the bare handler as a child; stop ends it.
func startBare(ctx context.Context, cfg bareConfig) (address string, stop func(), err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("finding wcctl itself: %w", err)
	}
	child := exec.CommandContext(ctx, program, "bench", bareCommand)
	var said strings.Builder
	child.Stderr = &said
	in, err := child.StdinPipe()
	if err != nil {
		return "", nil, fmt.Errorf("starting the bare handler: %w", err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return "", nil, fmt.Errorf("starting the bare handler: %w", err)
	}
	if err := child.Start(); err != nil {
		return "", nil, fmt.Errorf("starting the bare handler: %w", err)
	}
	stop = func() {
		_ = in.Close()   // the child ends with its input
		_ = child.Wait() // its outcome tells nothing any more
	}
	//nolint:gosec // the password goes to our own child's standard input and nowhere else
	if err := json.NewEncoder(in).Encode(cfg); err != nil {
		stop()
		return "", nil, fmt.Errorf("starting the bare handler: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("starting the bare handler: %w: %s", err, said.String())
	}
	return strings.TrimSpace(line), stop, nil
}
