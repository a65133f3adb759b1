package recycling

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/pipeline"
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

// regional returns the item's rule in a region and the region that it is of: the whole country
// where the district has no rules of its own for it.
func (r *rules) regional(item rulebase.Item, id string) (rulebase.Item, string) {
	region, ok := r.base.Region(id)
	if !ok {
		return item, rulebase.Nationwide
	}
	local := region.Apply(item)
	if len(local.Steps) == len(item.Steps) {
		return item, rulebase.Nationwide
	}
	return local, region.ID
}

// service answers questions about the rules.
type service struct {
	store   *store
	rules   *rules
	adviser *adviser
	// ruleOnly tells that no model is configured: the rule itself is then the advice.
	ruleOnly bool
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

// item returns the rule as the region has it, and the region that it is of.
func (s *service) item(ctx context.Context, id, region string) (rulebase.Item, string, error) {
	if err := s.rules.ready(ctx); err != nil {
		return rulebase.Item{}, "", err
	}
	item, err := s.store.item(ctx, s.rules.base.Version, id)
	if err != nil {
		return item, "", err
	}
	item, region = s.rules.regional(item, region)
	return item, region, nil
}

// advise answers from the cache, or opens a job that will have the answer.
func (s *service) advise(ctx context.Context, w wish) (*pipeline.Advice, *adviceJob, error) {
	item, region, err := s.item(ctx, w.ItemID, w.Region)
	if err != nil {
		return nil, nil, err
	}
	w.Region = region
	q := question{item: item, region: region, locale: w.Locale}
	if s.ruleOnly {
		advice := compose(q, llm.FromRule(phrasing(q)))
		return &advice, nil, nil
	}
	key, err := s.adviser.cache.key(item, region, w.Locale)
	if err != nil {
		return nil, nil, err
	}
	if advice, ok := s.adviser.lookup(ctx, key, q); ok {
		return &advice, nil, nil
	}
	j, err := s.adviser.desk.open(ctx, key, w)
	return nil, &j, err
}

// adviceJob looks at a job of advise.
func (s *service) adviceJob(ctx context.Context, id uuid.UUID) (adviceJob, error) {
	return s.adviser.desk.look(ctx, id)
}

func (s *service) categories(ctx context.Context) ([]category, error) {
	if err := s.rules.ready(ctx); err != nil {
		return nil, err
	}
	return s.store.categories(ctx, s.rules.base.Version)
}
