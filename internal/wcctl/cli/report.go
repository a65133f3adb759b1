package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// report is what `wcctl analyze -o json` prints.
type report struct {
	Server    string   `json:"server"`
	Succeeded int      `json:"succeeded"`
	Failed    int      `json:"failed"`
	Analyses  []*entry `json:"analyses"`
}

// entry is one photo, with the fields of its job once it has one. Error is of either.
type entry struct {
	Photo   string  `json:"photo"`
	Seconds float64 `json:"seconds"`
	*job.Job
	Error  *entryError `json:"error"`
	file   photo
	answer pipeline.Result
}

type entryError struct {
	Message string `json:"message"`
	// Code is the API's, or bad_photo, timeout, interrupted or failed.
	Code string `json:"code"`
	Hint string `json:"hint"`
}

func newReport(address string, paths []string) *report {
	r := &report{Server: address, Analyses: []*entry{}}
	for _, path := range paths {
		file, err := openPhoto(path)
		e := &entry{Photo: path, file: file}
		if err != nil {
			e.Error = &entryError{Message: cells.Clean(err.Error()), Code: "bad_photo"}
			var told *Error
			if errors.As(err, &told) {
				e.Error.Hint = told.Hint
			}
		}
		r.Analyses = append(r.Analyses, e)
	}
	return r
}

// waiting are the entries with a photo that can be sent.
func (r *report) waiting() []*entry {
	var good []*entry
	for _, e := range r.Analyses {
		if e.Error == nil {
			good = append(good, e)
		}
	}
	return good
}

func (e *entry) percent() int {
	if e.Job == nil {
		return 0
	}
	return e.Job.Progress
}

func (e *entry) fail(err error, address string) {
	e.Error = &entryError{
		Message: cells.Clean(err.Error()), Code: "failed", Hint: photoHint(err, address, e.Photo),
	}
	var problem *client.Problem
	switch {
	case errors.As(err, &problem):
		e.Error.Code = problem.Code
	case errors.Is(err, context.Canceled):
		e.Error.Message, e.Error.Code = "interrupted", "interrupted"
	case errors.Is(err, errTimeout):
		e.Error.Code = "timeout"
		e.Error.Hint = "wcctl analyze --timeout 10m " + quote(e.Photo)
	}
}

func (r *report) count() {
	for _, e := range r.Analyses {
		if e.Error == nil {
			r.Succeeded++
		} else {
			r.Failed++
		}
	}
}

// outcome is the command's own error: the photos' errors have been printed already.
func (r *report) outcome(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return &Error{
			Cause:    errors.New("interrupted; what ran on the server is canceled"),
			ExitCode: exitInterrupted,
		}
	case r.Failed > 0:
		return &Error{Cause: fmt.Errorf("%d of %d photos have no answer", r.Failed, len(r.Analyses))}
	}
	return nil
}

// print writes the answers, in the order of the photos.
func (r *report) print(con *console, opts analyzeOptions) error {
	if opts.output == outputJSON {
		return writeJSON(con.out, r)
	}
	text := answerText{
		page:  page{width: con.width(con.out)},
		theme: newTheme(con.colored(con.out)), words: wordsOf[opts.locale.or(con)],
		located: opts.location.at != nil,
	}
	for i, e := range r.Analyses {
		if i > 0 {
			text.gap()
		}
		text.draw(e)
	}
	if len(r.Analyses) > 1 {
		text.gap()
		text.line("", r.summary(), text.theme.title)
	}
	_, err := fmt.Fprint(con.out, text.String())
	return err
}

func (r *report) summary() string {
	cached := 0
	for _, e := range r.Analyses {
		if e.answer.Cached {
			cached++
		}
	}
	return fmt.Sprintf("%d photos: %d answered, %d of them from the cache, %d failed",
		len(r.Analyses), r.Succeeded, cached, r.Failed)
}
