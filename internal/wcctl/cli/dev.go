package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/s3server"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

const (
	defaultGrace      = 5 * time.Second
	defaultAPIPort    = 8080
	defaultS3Port     = 9000
	defaultOpenIDPort = 8081
	// gatewayCommand is what wcctl dev starts itself again as.
	gatewayCommand = "s3-gateway"
)

type devOptions struct {
	data    string
	stack   dev.Config
	latency time.Duration
	detach  bool
	yes     bool
}

func newDev(con *console) *cobra.Command {
	opts := devOptions{stack: dev.Config{Pools: dev.Pools()}}
	opts.stack.Replicas = dev.DefaultReplicas(opts.stack.Pools)
	cmd := &cobra.Command{
		Use:     "dev",
		GroupID: groupLocal,
		Short:   "Run the whole system on this machine",
		Long: `Run the whole system on this machine: PostgreSQL, Redis, S3, an OpenID provider, all
services with their workers, and the API's routes on one port. Ctrl-C stops it.

Its data survives a restart. It is in /var/lib/wastecoach/dev for root, else in
wastecoach/dev below $XDG_DATA_HOME (default ~/.local/share).

Variables such as WASTE_VISION_API_KEY and RECYCLING_LLM_BASE_URL reach the services.`,
		Example: `  wcctl dev
  wcctl dev --detach && wcctl analyze photo.jpg
  wcctl dev --replicas waste=1,waste-worker=2 --model-latency 0s
  WASTE_VISION_API_KEY_FILE=key WASTE_VISION_MODEL=gpt-4o-mini wcctl dev --vision openai`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("model-latency") {
				opts.stack.ModelLatency = &opts.latency
			}
			for flag, name := range map[string]string{"vision": opts.stack.Vision, "llm": opts.stack.LLM} {
				if err := knownModel(flag, name); err != nil {
					return err
				}
			}
			opts.stack.Data = devFolder(con, opts.data)
			return runDev(cmd.Context(), con, opts)
		},
	}
	cmd.PersistentFlags().StringVar(&opts.data, "data", "",
		"folder for all data (default: WCCTL_DEV_DIR, else as above)")
	registerDev(cmd, &opts)
	cmd.AddCommand(
		newDevStatus(con, &opts.data), newDevStop(con, &opts.data), newDevLogs(con, &opts.data),
		newDevEnv(con, &opts.data), newDevGateway(con),
	)
	return cmd
}

func registerDev(cmd *cobra.Command, opts *devOptions) {
	f, s := cmd.Flags(), &opts.stack
	f.BoolVarP(&opts.detach, "detach", "d", false, "go on in the background once everything runs")
	f.IntVar(&s.Port, "port", defaultAPIPort, "port of the API; 0 for a free one")
	f.IntVar(&s.S3Port, "s3-port", defaultS3Port, "port of S3; 0 for a free one")
	f.IntVar(&s.OpenIDPort, "openid-port", defaultOpenIDPort,
		"port of the OpenID provider; 0 for a free one. It is part of who a user is")
	f.IntVar(&s.PostgresPort, "postgres-port", 0, "port of PostgreSQL; 0 for a free one")
	f.IntVar(&s.RedisPort, "redis-port", 0, "port of Redis; 0 for a free one")
	f.Var(s.Replicas, "replicas", "how many of each run")
	f.StringVar(&s.Vision, "vision", "", "who looks at photos: local (the built-in model), openai (any\n"+
		"endpoint that speaks its protocol), local-first (openai where local is not sure)\n"+
		"or simulator. Default: WASTE_VISION_PROVIDER, else local")
	f.StringVar(&s.LLM, "llm", "", "who words the advice: simulator, openai or none.\n"+
		"Default: RECYCLING_LLM_PROVIDER, else simulator")
	f.DurationVar(&opts.latency, "model-latency", 0,
		"how long the simulators take for an answer (default as a real model does)")
	f.DurationVar(&s.Grace, "grace", defaultGrace, "how long work under way may go on at a stop")
	f.BoolVar(&s.Reset, "reset", false, "empty the data folder first")
	f.BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
}

// knownModel refuses typing errors before anything starts.
func knownModel(flag, name string) error {
	known := []string{"", modelprovider.Simulator, modelprovider.OpenAI}
	if flag == "llm" {
		known = append(known, modelprovider.None)
	} else {
		known = append(known, modelprovider.Local, modelprovider.LocalFirst)
	}
	if slices.Contains(known, name) {
		return nil
	}
	return usageErrorf("wcctl dev", "there is no model provider %q for --%s, but %s", name, flag,
		strings.Join(known[1:], ", "))
}

func newDevGateway(con *console) *cobra.Command {
	return &cobra.Command{
		Use: gatewayCommand, Short: "Serve S3 for wcctl dev", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s3server.Serve(cmd.Context(), con.in)
		},
	}
}

func devFolder(con *console, flag string) dev.Folder {
	if flag == "" {
		flag = devstate.Dir(con.getenv)
	}
	if absolute, err := filepath.Abs(flag); err == nil { // else there is no working directory
		flag = absolute
	}
	return dev.Folder(flag)
}

// devCommand is a hint about the stack on a data folder.
func devCommand(con *console, data dev.Folder, words string) string {
	command := strings.TrimRight("wcctl dev "+words, " ")
	if data != devFolder(con, "") {
		command += " --data " + quote(string(data))
	}
	return command
}

func runDev(ctx context.Context, con *console, opts devOptions) error {
	if opts.stack.Reset {
		if err := confirmReset(con, opts); err != nil {
			return err
		}
	}
	if opts.detach {
		return runDetached(ctx, con, opts)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	began := time.Now()
	s := opts.stack
	s.Gateway, s.Environ, s.Show = []string{program, "dev", gatewayCommand}, os.Environ(), con.err
	s.OnEvent = func(e dev.Event) { showEvent(con, e) }
	s.Detached = con.getenv(detachedEnv) != ""
	s.OnReady = func(info dev.Info) {
		if !s.Detached { // who started it shows it
			showSummary(con, info, time.Since(began))
		}
	}
	return devError(con, dev.Run(ctx, s), s.Data)
}

func confirmReset(con *console, opts devOptions) error {
	if opts.yes || !opts.stack.Data.Holds() {
		return nil
	}
	return confirm(con, fmt.Sprintf("Remove all data of wcctl dev in %s?", opts.stack.Data),
		devCommand(con, opts.stack.Data, "--reset --yes"))
}

// devError adds what to do now.
func devError(con *console, err error, data dev.Folder) error {
	var (
		taken   *dev.PortTakenError
		running *dev.RunningError
	)
	e := &Error{Cause: err}
	hint := func(words string) string { return devCommand(con, data, words) }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &running):
		e.Cause, e.Hint = running, hint("status")+"\n"+hint("stop")
	case errors.As(err, &taken):
		e.Cause, e.Hint = taken, hint(fmt.Sprintf("%s %d", taken.Flag, taken.Port+1000))+"\n"+
			hint(taken.Flag+" 0")
	case errors.Is(err, dev.ErrForeignFolder):
		e.Hint = "wcctl dev --data " + quote(string(data)+"/wastecoach-dev")
	case errors.Is(err, dev.ErrDiskFull):
		e.Hint = "df -h " + quote(string(data)) + "\nwcctl dev --data ELSEWHERE"
	case errors.Is(err, dev.ErrNotRunning):
		e.Hint = hint("")
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "wcctl dev --data ~/wastecoach-dev"
	case errors.Is(err, context.Canceled):
		return err
	default:
		e.Hint = hint("logs")
	}
	return e
}
