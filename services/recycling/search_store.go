package recycling

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// searchSQL ranks items by how well one of their terms fits the whole query ($2[1]), or by how well
// their terms fit its words (the rest), where a word of one syllable ($3 keys) has to fit exactly.
// The trigram index answers both % (similar: typos) and LIKE (part of a term: unfinished words).
const searchSQL = `
WITH asked AS (
	SELECT * FROM unnest($2::text[]) WITH ORDINALITY AS a (text, place)
), found AS (
	SELECT t.item_id, a.place, max(CASE WHEN t.whole THEN 1 ELSE 0.9 END * CASE
		WHEN t.text = a.text THEN 1
		WHEN starts_with(t.text, a.text) THEN 0.7 + 0.3 * length(a.text) / length(t.text)
		WHEN strpos(t.text, a.text) > 0 THEN 0.3 + 0.5 * length(a.text) / length(t.text)
		ELSE 0.9 * similarity(t.text, a.text) END) AS score
	FROM asked a CROSS JOIN LATERAL (
		SELECT item_id, text, whole FROM item_terms
		WHERE version = $1 AND initials = $4 AND (text % a.text OR text LIKE '%' || a.text || '%')
		OFFSET 0 -- a fence: without it the planner reads all terms once for all words
	) t
	WHERE a.place = 1 OR length(a.text) > $3 OR t.text = a.text
	GROUP BY t.item_id, a.place
), ranked AS (
	SELECT item_id, greatest(max(score) FILTER (WHERE place = 1),
		0.8 * sum(score) FILTER (WHERE place > 1) / greatest(cardinality($2::text[]) - 1, 1)) AS score
	FROM found GROUP BY item_id
)
SELECT i.body FROM ranked r JOIN items i ON i.version = $1 AND i.id = r.item_id
WHERE $5 = '' OR i.class = $5
ORDER BY r.score DESC, i.position LIMIT $6 OFFSET $7`

// oneSyllable is how many keys a syllable takes at most in the words of our items.
const oneSyllable = 3

// searchItems is listItems with a query.
func (s *store) searchItems(
	ctx context.Context, version string, f filter, limit, offset int,
) ([]rulebase.Item, error) {
	query := rulebase.Ask(f.Query)
	if len(query.Texts) == 0 {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, searchSQL,
		version, query.Texts, oneSyllable, query.Initials, string(f.Class), limit, offset)
	if err != nil {
		return nil, fmt.Errorf("searching items: %w", err)
	}
	items, err := pgx.CollectRows(rows, pgx.RowTo[rulebase.Item])
	if err != nil {
		return nil, fmt.Errorf("searching items: %w", err)
	}
	return items, nil
}
