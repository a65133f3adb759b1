package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

// showEvent prints one line per part, with its time.
func showEvent(con *console, e dev.Event) {
	sign, what := "started", e.Detail
	switch {
	case e.Err != nil:
		sign = "failed "
	case e.Stopped:
		sign = "stopped"
	}
	line := fmt.Sprintf("  %s  %6s  %-20s %s", sign, seconds(e.Took), e.Part, what)
	fmt.Fprintln(con.err, strings.TrimRight(line, " "))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// showSummary tells where everything is, how to use it and how to stop it.
func showSummary(con *console, info dev.Info, took time.Duration) {
	fmt.Fprintf(con.out, `
Waste Coach runs on this machine (started in %s).

  API              %s/api/v1
  documents        %s/api/v1/{%s}/openapi.json
  S3               %s
  OpenID provider  %s
  PostgreSQL       %s
  Redis            %s, password in %s
  data, logs       %s

From a terminal:

  wcctl analyze photo.jpg

The same by hand; paste it where photo.jpg is:

%s
`, seconds(took), info.URL, info.URL, strings.Join(documented(info), ","), info.S3, info.OpenID,
		info.Postgres, info.Redis, info.SecretsPath(), info.Data, indent(curlSession(info)))
	stop := "Ctrl-C stops it; a second Ctrl-C at once."
	if info.Detached {
		stop = "Stop it with: wcctl dev stop"
	}
	fmt.Fprintln(con.out, stop)
}

func documented(info dev.Info) []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range info.Replicas {
		if !seen[r.Service] && !r.Worker {
			names = append(names, r.Service)
		}
		seen[r.Service] = true
	}
	return names
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return b.String()
}
