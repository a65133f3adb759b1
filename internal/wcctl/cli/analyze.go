package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/progress"
)

const (
	defaultConcurrency = 4
	maxConcurrency     = 32
	defaultTimeout     = 2 * time.Minute
)

type analyzeOptions struct {
	photos      []string
	server      server
	location    locationFlag
	locale      localeFlag
	concurrency int
	timeout     time.Duration
	noBrowser   bool
	output      outputFormat
}

func newAnalyze(con *console) *cobra.Command {
	var opts analyzeOptions
	cmd := &cobra.Command{
		Use:     "analyze PHOTO...",
		GroupID: groupApp,
		Short:   "Ask what the waste in a photo is and how to dispose of it",
		Long: `Ask what the waste in each photo is, how to dispose of it and where.

Photos are JPEG, PNG or WebP files. Progress goes to standard error, the answers to
standard output in the order of the photos. With -o json they are one document:

  {"server": URL, "succeeded": N, "failed": N,
   "analyses": [{"photo": PATH, "seconds": S, "id": ID, "status": STATUS, ...,
                 "result": {"vision": {...}, "advice": {...}, ...}, "error": null}, ...]}

From id to result they are the fields of the API's job, and missing where none was
started. error is null or {"message", "code", "hint"}.

The exit code is 0 when every photo has an answer, 1 when one has none. Ctrl-C
cancels what runs on the server too, prints the answers so far and ends with 130.`,
		Example: `  wcctl analyze bottle.jpg
  wcctl analyze *.jpg --location 37.5665,126.9780 --locale en
  wcctl analyze *.jpg -o json | jq '.analyses[].result.advice.summary'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.photos = args
			if opts.concurrency < 1 || opts.concurrency > maxConcurrency {
				return usageErrorf(cmd.CommandPath(),
					"--concurrency must be 1 to %d", maxConcurrency)
			}
			if opts.timeout <= 0 {
				return usageErrorf(cmd.CommandPath(), "--timeout must be longer than 0")
			}
			return runAnalyze(cmd.Context(), con, opts)
		},
	}
	flags := cmd.Flags()
	flags.Var(&opts.location, "location", "where you are, for the nearest collection points")
	opts.locale.register(cmd)
	flags.IntVar(&opts.concurrency, "concurrency", defaultConcurrency, "photos at once")
	flags.DurationVar(&opts.timeout, "timeout", defaultTimeout,
		"cancel an analysis that takes longer")
	opts.output.register(cmd)
	opts.server.register(cmd)
	flags.BoolVar(&opts.noBrowser, "no-login-browser", false,
		"print the address of a login without opening a browser")
	return cmd
}

// runAnalyze reads the files before it talks to the server, so that bad ones cost nothing.
func runAnalyze(ctx context.Context, con *console, opts analyzeOptions) error {
	c, err := opts.server.connect(ctx, con)
	if err != nil {
		return err
	}
	report := newReport(c.BaseURL(), opts.photos)
	if good := report.waiting(); len(good) > 0 {
		user, err := authenticate(ctx, con, c, opts.noBrowser)
		if err != nil {
			return err
		}
		sink := analyzeSink(con, opts.output)
		run := &analysisRun{
			client: c.WithTokens(user), sink: sink, opts: opts, locale: opts.locale.or(con),
		}
		run.all(ctx, good)
		sink.Close()
	}
	report.count()
	if err := report.print(con, opts); err != nil {
		return err
	}
	return report.outcome(ctx)
}

func analyzeSink(con *console, format outputFormat) progress.Sink {
	if con.live() {
		return progress.NewLive(con.err)
	}
	if format == outputJSON {
		return progress.Nothing{} // whoever reads JSON reads the errors there
	}
	return progress.NewPlain(con.err)
}

// locationFlag is the value of --location; nil where it is absent.
type locationFlag struct{ at *client.Location }

// String implements pflag.Value.
func (l *locationFlag) String() string {
	if l.at == nil {
		return ""
	}
	return fmt.Sprintf("%g,%g", l.at.Lat, l.at.Lng)
}

// Type implements pflag.Value.
func (l *locationFlag) Type() string { return "LAT,LNG" }

// Set implements pflag.Value.
func (l *locationFlag) Set(value string) error {
	latText, lngText, _ := strings.Cut(value, ",")
	lat, latErr := strconv.ParseFloat(strings.TrimSpace(latText), 64)
	lng, lngErr := strconv.ParseFloat(strings.TrimSpace(lngText), 64)
	inside := lat >= -90 && lat <= 90 && lng >= -180 && lng <= 180
	if latErr != nil || lngErr != nil || !inside {
		return fmt.Errorf("%q is not like 37.5665,126.9780 (degrees north, east)", value)
	}
	l.at = &client.Location{Lat: lat, Lng: lng}
	return nil
}

// localeFlag is the value of --locale; "" where it is absent.
type localeFlag string

const (
	korean  = "ko"
	english = "en"
)

func (l *localeFlag) register(cmd *cobra.Command) {
	cmd.Flags().Var(l, "locale",
		"language of the answer: ko or en (default: en where LANG says so, else ko)")
	_ = cmd.RegisterFlagCompletionFunc("locale", cobra.FixedCompletions( // the flag is there
		[]string{korean, english}, cobra.ShellCompDirectiveNoFileComp))
}

// String implements pflag.Value.
func (l *localeFlag) String() string { return string(*l) }

// Type implements pflag.Value.
func (l *localeFlag) Type() string { return "ko|en" }

// Set implements pflag.Value.
func (l *localeFlag) Set(value string) error {
	if value != korean && value != english {
		return fmt.Errorf("%q is neither ko nor en", value)
	}
	*l = localeFlag(value)
	return nil
}

// or returns the locale of the flag, else of the environment, else Korean.
func (l *localeFlag) or(con *console) string {
	if *l != "" {
		return string(*l)
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value := con.getenv(name); value != "" {
			if strings.HasPrefix(value, english) {
				return english
			}
			return korean
		}
	}
	return korean
}
