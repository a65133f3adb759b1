package recycling

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// hitRate is the share of queries whose item has to be among the first three.
const hitRate = 0.95

func TestSearchSuite(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	text, err := os.ReadFile("testdata/queries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var suite map[string][]struct{ Q, Item string }
	if err := yaml.Unmarshal(text, &suite); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, item := range r.base.Items {
		known[item.ID] = true
	}
	asked, hits, first := 0, 0, 0
	for kind, queries := range suite {
		inKind := 0
		for _, query := range queries {
			if !known[query.Item] {
				t.Errorf("%q expects the unknown item %s", query.Q, query.Item)
			}
			ids := r.search(t, query.Q)
			switch at := slices.Index(ids, query.Item); {
			case at < 0:
				t.Logf("miss (%s): %q gives %v, not %s", kind, query.Q, ids, query.Item)
				continue
			case at == 0:
				first++
			}
			inKind++
		}
		t.Logf("%s: %d of %d among the first three", kind, inKind, len(queries))
		asked, hits = asked+len(queries), hits+inKind
	}
	share := float64(hits) / float64(asked)
	t.Logf("%d of %d queries (%.1f %%) have their item among the first three, %d as the first",
		hits, asked, 100*share, first)
	if asked < 60 || share < hitRate {
		t.Errorf("%d queries with a hit rate of %.3f, want at least 60 and %.2f", asked, share, hitRate)
	}
}

// search returns the ids of the first three items.
func (r *rules) search(t *testing.T, query string) []string {
	t.Helper()
	items, err := r.store.listItems(t.Context(), r.base.Version, filter{Query: query}, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, 0, len(items))
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestSearchFindsNothing(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	for _, query := range []string{"%", "_", `\`, "qqqqqqqqxxxxxxxx"} {
		for _, id := range r.search(t, query) {
			t.Errorf("search for %q found %s", query, id)
		}
	}
}

// TestSearchUsesItsIndex asks among 100,000 terms, where a scan would be slow.
func TestSearchUsesItsIndex(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	const others = 100_000
	pool := r.store.pool
	_, err := pool.Exec(t.Context(), `
		INSERT INTO item_terms (version, text, initials, item_id, whole)
		SELECT $1, translate(md5(n::text), '0123456789', 'ghijklmnop'), n % 2 = 0, 'glass_bottle', true
		FROM generate_series(1, $2::int) n`, r.base.Version, others)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "ANALYZE item_terms"); err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"페트병", "패트병", "고장난 우산 버리기", "ㅂㅈㅂㅌㄹ", "형광둥"} {
		query := rulebase.Ask(typed)
		rows, err := pool.Query(t.Context(), "EXPLAIN (ANALYZE, BUFFERS) "+searchSQL,
			r.base.Version, query.Texts, oneSyllable, query.Initials, "", 20, 0)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan on item_terms") || !strings.Contains(plan, "item_terms_text") {
			t.Errorf("search for %q does not use the index:\n%s", typed, plan)
		}
		t.Logf("%q: %s", typed, lines[len(lines)-1])
		if len(r.search(t, typed)) == 0 {
			t.Errorf("search for %q among %d others finds nothing", typed, others)
		}
	}
}

func TestSearchPagesAndClass(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	f := filter{Query: "병"}
	all, err := r.store.listItems(t.Context(), r.base.Version, f, 100, 0)
	if err != nil || len(all) < 10 {
		t.Fatalf("%d items, %v", len(all), err)
	}
	rest, err := r.store.listItems(t.Context(), r.base.Version, f, 100, 4)
	if err != nil || rest[0].ID != all[4].ID || len(rest) != len(all)-4 {
		t.Errorf("after 4 of %d: %d items from %s on, %v", len(all), len(rest), rest[0].ID, err)
	}
	f.Class = "glass"
	glass, err := r.store.listItems(t.Context(), r.base.Version, f, 100, 0)
	if err != nil || len(glass) == 0 || len(glass) >= len(all) {
		t.Errorf("%d of %d items are of class glass, %v", len(glass), len(all), err)
	}
	for _, item := range glass {
		if item.Class != "glass" {
			t.Errorf("%s is of class %s", item.ID, item.Class)
		}
	}
}
