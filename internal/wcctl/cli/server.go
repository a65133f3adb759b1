package cli

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

const fallbackServer = "http://127.0.0.1:8080"

// server is the value of --server, or of --cluster.
type server struct {
	url     string
	cluster string
}

func (s *server) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.url, "server", "",
		"address of Waste Coach (default: WCCTL_SERVER, else the running wcctl dev,\nelse "+
			fallbackServer+")")
	cmd.Flags().StringVar(&s.cluster, "cluster", "",
		"the system of this cluster's `FILE`, through its machines: no DNS is asked")
	_ = cmd.MarkFlagFilename("cluster", "yaml", "yml") // the flag is there
	cmd.MarkFlagsMutuallyExclusive("server", "cluster")
}

// find returns the address to use.
func (s *server) find(con *console) (string, error) {
	if s.url != "" {
		return s.url, nil
	}
	if u := con.getenv("WCCTL_SERVER"); u != "" {
		return u, nil
	}
	state, err := devState(con)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fallbackServer, nil
	case err != nil:
		return "", err
	}
	return state.URL, nil
}

func devState(con *console) (devstate.State, error) {
	return devstate.Read(devstate.Dir(con.getenv))
}

// reach returns the address to use, and what reaches it.
func (s *server) reach(ctx context.Context, con *console) (string, *http.Transport, error) {
	if s.cluster == "" {
		address, err := s.find(con)
		return address, client.NewTransport(), err
	}
	flags := clusterFlags{file: clusterFile{flag: s.cluster}}
	e, err := openEdge(ctx, con, &flags)
	if err != nil {
		return "", nil, clusterError(ctx, &flags, "status", "", err)
	}
	return e.address(), e.transport(), nil
}

// connect returns a client without a user.
func (s *server) connect(ctx context.Context, con *console) (*client.Client, error) {
	address, transport, err := s.reach(ctx, con)
	if err != nil {
		return nil, err
	}
	return newClient(address, transport)
}

func newClient(address string, transport http.RoundTripper) (*client.Client, error) {
	c, err := client.New(client.Options{
		BaseURL: address, HTTP: &http.Client{Transport: transport}, UserAgent: "wcctl/" + buildVersion().Version,
	})
	if err != nil {
		return nil, &Error{
			Cause: err, Hint: "export WCCTL_SERVER=" + fallbackServer, ExitCode: exitUsage,
		}
	}
	return c, nil
}

// hint is what to do about an error of the server at address; it may be "".
func hint(err error, address string) string {
	var (
		silent  *client.Unreachable
		problem *client.Problem
	)
	switch {
	case errors.Is(err, client.ErrLoggedOut), client.IsStatus(err, 401):
		return "wcctl login --server " + address
	case errors.As(err, &silent) && loopback(address):
		return "wcctl dev"
	case errors.As(err, &silent):
		return "curl -sS " + address + "/api/v1/auth/providers"
	case errors.As(err, &problem) && problem.Status == 429:
		return "wcctl analyze --concurrency 1 PHOTO"
	case errors.As(err, &problem) && problem.Status == 413:
		return "magick PHOTO -resize '2048x2048>' smaller.jpg"
	case errors.As(err, &problem) && problem.Retryable:
		return "wcctl analyze PHOTO"
	}
	return ""
}

// photoHint is hint with the photo's name in it.
func photoHint(err error, address, path string) string {
	return strings.ReplaceAll(hint(err, address), "PHOTO", quote(path))
}

func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// quote makes a word safe to paste into a shell.
func quote(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"+
			"0123456789_-./:@%+=,", r) && r < 0x80
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
