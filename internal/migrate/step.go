package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"

	"github.com/pressly/goose/v3"
)

// noTransaction is goose's own annotation.
var noTransaction = regexp.MustCompile(`(?im)^\s*--\s*\+goose\s+NO\s+TRANSACTION\s*$`)

// chain is the migrations of one schema.
type chain struct {
	runner   *Runner
	session  *session
	schema   string
	files    fs.FS
	provider *goose.Provider
}

// chain returns nil where the schema has no migrations. It refuses a half-applied schema.
func (r *Runner) chain(ctx context.Context, s *session, schema string) (*chain, error) {
	files, err := fs.Sub(r.cfg.Files, schema)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations: %w", err)
	}
	if err := s.become(ctx, schema); err != nil {
		return nil, err
	}
	mark, err := readMark(ctx, s.db, schema)
	if err != nil {
		return nil, err
	}
	if mark != nil {
		return nil, &HalfAppliedError{Schema: schema, Mark: *mark}
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, s.db, files,
		goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return &chain{runner: r, session: s, schema: schema, files: files, provider: provider}, nil
}

func (r *Runner) up(ctx context.Context, s *session, schema string) error {
	c, err := r.chain(ctx, s, schema)
	if err != nil || c == nil {
		return err
	}
	status, err := c.provider.Status(ctx)
	if err != nil {
		return fmt.Errorf("reading what is applied: %w", err)
	}
	var newest int64
	for _, m := range status {
		if m.State == goose.StateApplied {
			newest = max(newest, m.Source.Version)
		}
	}
	for _, m := range status {
		if m.State == goose.StateApplied {
			continue
		}
		if m.Source.Version < newest {
			return fmt.Errorf("%s is not applied but version %d is: give it the next free number",
				path.Base(m.Source.Path), newest)
		}
		if err := c.apply(ctx, m.Source, DirectionUp); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) down(ctx context.Context, s *session, schema string) error {
	c, err := r.chain(ctx, s, schema)
	if err != nil {
		return err
	}
	if c == nil {
		return ErrNothingApplied
	}
	version, err := c.provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("reading what is applied: %w", err)
	}
	if version == 0 {
		return ErrNothingApplied
	}
	sources := c.provider.ListSources()
	i := slices.IndexFunc(sources, func(m *goose.Source) bool { return m.Version == version })
	if i < 0 {
		return fmt.Errorf("version %d is applied but this build does not know it", version)
	}
	return c.apply(ctx, sources[i], DirectionDown)
}

// apply runs one migration; one without a transaction leaves a mark for as long as it is half done.
func (c *chain) apply(ctx context.Context, m *goose.Source, direction Direction) error {
	text, err := fs.ReadFile(c.files, m.Path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", m.Path, err)
	}
	run := func() (*goose.MigrationResult, error) {
		return c.provider.ApplyVersion(ctx, m.Version, direction == DirectionUp)
	}
	var result *goose.MigrationResult
	if noTransaction.Match(text) {
		mark := Mark{Version: m.Version, Direction: direction}
		err = c.session.marked(ctx, c.schema, mark, func() (err error) {
			result, err = run()
			return plain(err)
		})
	} else if err = c.session.setLockTimeout(ctx, ddlLockTimeout); err == nil {
		result, err = run()
	}
	if err != nil {
		return explain(path.Base(m.Path), err)
	}
	c.runner.cfg.OnStep(Step{
		Schema: c.schema, Version: m.Version, File: path.Base(m.Path),
		Direction: direction, Took: result.Duration,
	})
	return nil
}

// explain names the file, unless the error names more.
func explain(file string, err error) error {
	var half *HalfAppliedError
	if errors.As(err, &half) {
		return err
	}
	return fmt.Errorf("running %s: %w", file, plain(err))
}

// plain keeps goose's cause and drops its way of saying it.
func plain(err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) && partial.Err != nil {
		return partial.Err
	}
	return err
}
