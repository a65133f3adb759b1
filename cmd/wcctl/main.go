// Command wcctl runs Waste Coach on one machine or in a cluster, and is its app in a terminal.
package main

import (
	"context"
	"os"

	"github.com/wastecoach/wastecoach/internal/wcctl/cli"
)

func main() {
	ctx, stop := cli.Interruptible(context.Background(), os.Exit)
	code := cli.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
