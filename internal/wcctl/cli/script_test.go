package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"image"
	"image/jpeg"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wastecoach/wastecoach/internal/client/clienttest"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/cli"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// suite ends the database server that tests share.
type suite struct{ m *testing.M }

func (s suite) Run() int { return testdb.Main(s.m) }

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"wcctl": func() {
		ctx, stop := cli.Interruptible(context.Background(), os.Exit)
		defer stop()
		os.Exit(cli.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
	}})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			server := clienttest.New()
			e.Defer(server.Close)
			e.Values["server"] = server
			e.Vars = append(e.Vars, "SERVER="+server.URL, "WCCTL_SERVER="+server.URL,
				"XDG_CONFIG_HOME="+e.WorkDir+"/config", "WCCTL_DEV_DIR="+e.WorkDir+"/dev",
				"LANG=en_US.UTF-8", "COLUMNS=200")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "photo": photo, "server": server, "await": await, "mode": mode,
			"requests": requests,
		},
	})
}

// exits CODE PROGRAM ARG... runs a program that must end with the code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// photo FILE [MARK] writes a JPEG that clienttest treats as the mark says, or a part of one.
func photo(ts *testscript.TestScript, _ bool, args []string) {
	var out bytes.Buffer
	ts.Check(jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 8, 8)), nil))
	if slices.Contains(args, "cut") {
		out.Truncate(out.Len() / 10)
	}
	for _, mark := range args[1:] {
		out.WriteString("please-" + mark)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o600))
}

// server WORD changes how the server behaves.
func server(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value("server").(*clienttest.Server)
	switch args[0] {
	case "interactive":
		s.Interactive = true
	case "forgets-tokens":
		s.ForgetTokens()
	case "forgets-logins":
		s.ForgetLogins()
	case "stops":
		s.Close()
	case "refuses":
		s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/waste/uploads") {
				return false
			}
			w.Header().Set("Retry-After", "3600")
			clienttest.Refuse(w, problem.New(problem.RateLimited, "rate_limited", "Too many photos."))
			return true
		}
	case "is-dev":
		dir := ts.Getenv("WCCTL_DEV_DIR")
		ts.Check(os.MkdirAll(dir, 0o700))
		ts.Check(devstate.Write(dir, devstate.State{URL: s.URL}))
	default:
		ts.Fatalf("unknown: %s", args[0])
	}
}

// await STATUS N waits until there are N jobs and one has the status.
func await(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value("server").(*clienttest.Server)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		found := s.Statuses()
		if strconv.Itoa(len(found)) == args[1] &&
			slices.Contains(slices.Collect(maps.Values(found)), job.Status(args[0])) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("no job is %s: %v", args[0], s.Statuses())
		case <-ticker.C:
		}
	}
}

// mode OCTAL FILE compares a file's permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// requests N METHOD SUFFIX counts what arrived at the server.
func requests(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value("server").(*clienttest.Server)
	if got := strconv.Itoa(len(s.Requests(args[1], args[2]))); got != args[0] {
		ts.Fatalf("%s requests %s …%s, want %s", got, args[1], args[2], args[0])
	}
}
