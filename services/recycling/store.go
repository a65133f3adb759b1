package recycling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const (
	// rulesLock keeps two loads of rules apart.
	rulesLock = 0x72756c6573 // "rules" in ASCII
	// rulesRetention is how long a version that no binary started with stays for a rollback.
	rulesRetention = 30 * 24 * time.Hour
	// minSimilarity is where a label stops being a misspelling and starts being another thing.
	minSimilarity = 0.45
)

// store reads and writes the recycling schema.
type store struct{ pool *pgxpool.Pool }

// loadRules brings base into the schema unless it is there. Other versions stay for the binaries
// that run with them.
func (s *store) loadRules(ctx context.Context, base rulebase.Base) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(rulesLock)); err != nil {
			return err
		}
		var fresh bool
		err := tx.QueryRow(ctx, `
			INSERT INTO rule_versions (version, loaded_at, used_at) VALUES ($1, now(), now())
			ON CONFLICT (version) DO UPDATE SET used_at = now()
			RETURNING loaded_at = used_at`, base.Version).Scan(&fresh)
		if err != nil {
			return err
		}
		if !fresh {
			return nil
		}
		if err := insertItems(ctx, tx, base); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "DELETE FROM rule_versions WHERE used_at < now() - $1::interval", rulesRetention)
		return err
	})
	if err != nil {
		return fmt.Errorf("loading the rules %s: %w", base.Version, err)
	}
	return nil
}

func insertItems(ctx context.Context, tx pgx.Tx, base rulebase.Base) error {
	batch := &pgx.Batch{}
	for position, item := range base.Items {
		digest, err := item.Digest()
		if err != nil {
			return err
		}
		batch.Queue(`
			INSERT INTO items (version, id, class, position, is_default, digest, body)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			base.Version, item.ID, item.Class, position, item.Default, digest, item)
		for _, label := range item.Labels() {
			batch.Queue(`INSERT INTO item_labels (version, label, item_id, class) VALUES ($1, $2, $3, $4)`,
				base.Version, label, item.ID, item.Class)
		}
		for _, term := range item.Terms() {
			batch.Queue(`INSERT INTO item_terms (version, text, initials, item_id, whole) VALUES ($1, $2, $3, $4, $5)`,
				base.Version, term.Text, term.Initials, item.ID, term.Whole)
		}
	}
	return tx.SendBatch(ctx, batch).Close()
}

// listItems returns up to limit items of a version, after the first offset: the best matches of
// query first, or else in the guideline's order. Empty query and class match all.
func (s *store) listItems(
	ctx context.Context, version string, f filter, limit, offset int,
) ([]rulebase.Item, error) {
	if f.Query != "" {
		return s.searchItems(ctx, version, f, limit, offset)
	}
	rows, err := s.pool.Query(ctx, `
		SELECT body FROM items WHERE version = $1 AND ($2 = '' OR class = $2)
		ORDER BY position LIMIT $3 OFFSET $4`, version, string(f.Class), limit, offset)
	if err != nil {
		return nil, fmt.Errorf("listing items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[rulebase.Item])
	if err != nil {
		return nil, fmt.Errorf("listing items: %w", err)
	}
	return items, nil
}

func (s *store) item(ctx context.Context, version, id string) (rulebase.Item, error) {
	var item rulebase.Item
	err := s.pool.QueryRow(ctx, "SELECT body FROM items WHERE version = $1 AND id = $2", version, id).
		Scan(&item)
	if errors.Is(err, pgx.ErrNoRows) {
		return item, errItemNotFound
	}
	if err != nil {
		return item, fmt.Errorf("reading item %s: %w", id, err)
	}
	return item, nil
}

func (s *store) categories(ctx context.Context, version string) ([]category, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT d.class, d.body->'class_name', d.id,
			(SELECT count(*) FROM items i WHERE i.version = d.version AND i.class = d.class)
		FROM items d WHERE d.version = $1 AND d.is_default ORDER BY d.position`, version)
	if err != nil {
		return nil, fmt.Errorf("listing categories: %w", err)
	}
	categories, err := pgx.CollectRows(rows, pgx.RowToStructByPos[category])
	if err != nil {
		return nil, fmt.Errorf("listing categories: %w", err)
	}
	return categories, nil
}

// findItem chooses the rule for what vision saw, best first: the label in the class, the label
// where it belongs to one item of another class, a similar label in the class, the class's default.
func (s *store) findItem(
	ctx context.Context, version string, class wasteclass.Class, label string,
) (rulebase.Item, error) {
	var item rulebase.Item
	err := s.pool.QueryRow(ctx, `
		WITH exact AS (
			SELECT item_id, class FROM item_labels WHERE version = $1 AND label = $3
		), candidates AS (
			SELECT item_id, 1 AS place FROM exact WHERE class = $2
			UNION ALL
			SELECT min(item_id), 2 FROM exact WHERE class <> $2 HAVING count(DISTINCT item_id) = 1
			UNION ALL
			(SELECT item_id, 3 FROM item_labels
				WHERE version = $1 AND class = $2 AND label % $3 AND similarity(label, $3) >= $4
				ORDER BY similarity(label, $3) DESC, label LIMIT 1)
			UNION ALL
			SELECT id, 4 FROM items WHERE version = $1 AND class = $2 AND is_default
		)
		SELECT i.body FROM candidates c JOIN items i ON i.version = $1 AND i.id = c.item_id
		ORDER BY c.place LIMIT 1`, version, class, rulebase.Label(label), minSimilarity).Scan(&item)
	if err != nil {
		return item, fmt.Errorf("finding the rule for %s in %s: %w", label, class, err)
	}
	return item, nil
}
