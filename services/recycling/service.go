package recycling

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// loadRetry is the pause after a load that found no database.
const loadRetry = time.Second

// rules is the rule base of this binary, once it is in the schema.
type rules struct {
	base   rulebase.Base
	store  *store
	logger *slog.Logger
	loaded atomic.Bool
}

// load tries until the rules are in the schema, or returns false when ctx ends.
func (r *rules) load(ctx context.Context) bool {
	for ctx.Err() == nil {
		err := r.store.loadRules(ctx, r.base)
		if err == nil {
			r.loaded.Store(true)
			r.logger.InfoContext(ctx, "rules loaded", "version", r.base.Version, "items", len(r.base.Items))
			return true
		}
		r.logger.WarnContext(ctx, "rules not loaded", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(loadRetry):
		}
	}
	return false
}

// ready is the readiness check of the rules.
func (r *rules) ready(context.Context) error {
	if !r.loaded.Load() {
		return errNotLoaded
	}
	return nil
}

// service answers questions about the rules.
type service struct {
	store *store
	rules *rules
}

// list returns one page and whether another one follows.
func (s *service) list(
	ctx context.Context, f filter, size, offset int,
) ([]rulebase.Item, bool, error) {
	if err := s.rules.ready(ctx); err != nil {
		return nil, false, err
	}
	items, err := s.store.listItems(ctx, s.rules.base.Version, f, size+1, offset)
	if err != nil {
		return nil, false, err
	}
	return items[:min(size, len(items))], len(items) > size, nil
}

func (s *service) item(ctx context.Context, id string) (rulebase.Item, error) {
	if err := s.rules.ready(ctx); err != nil {
		return rulebase.Item{}, err
	}
	return s.store.item(ctx, s.rules.base.Version, id)
}

func (s *service) categories(ctx context.Context) ([]category, error) {
	if err := s.rules.ready(ctx); err != nil {
		return nil, err
	}
	return s.store.categories(ctx, s.rules.base.Version)
}
