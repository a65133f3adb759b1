package recycling

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const testDeadline = 20 * time.Second

func newTestRules(t *testing.T) *rules {
	t.Helper()
	return rulesOn(t, testdb.New(t, "recycling").Pool("recycling"))
}

func rulesOn(t *testing.T, pool *pgxpool.Pool) *rules {
	t.Helper()
	r, err := newRules(pool, discard())
	if err != nil {
		t.Fatal(err)
	}
	if !r.load(t.Context()) {
		t.Fatal("the rules were not loaded")
	}
	return r
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// eventually polls until ok or the deadline.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testDeadline)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		case <-ticker.C:
		}
	}
}

func TestRulesAreLoadedOnceAndSideBySide(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	if err := r.store.loadRules(t.Context(), r.base); err != nil {
		t.Fatalf("loading again: %v", err)
	}
	other := rulebase.Base{Version: "other", Items: []rulebase.Item{r.base.Items[0]}}
	if err := r.store.loadRules(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]int{r.base.Version: len(r.base.Items), "other": 1} {
		items, err := r.store.listItems(t.Context(), version, filter{}, 1000, 0)
		if err != nil || len(items) != want {
			t.Errorf("version %s has %d items, %v; want %d", version, len(items), err, want)
		}
	}
	_, err := r.store.pool.Exec(t.Context(),
		"UPDATE rule_versions SET used_at = now() - interval '31 days' WHERE version = 'other'")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.store.loadRules(t.Context(), rulebase.Base{Version: "third"}); err != nil {
		t.Fatal(err)
	}
	if items, err := r.store.listItems(t.Context(), "other", filter{}, 10, 0); err != nil || len(items) != 0 {
		t.Errorf("a version unused for a month has %d items, %v", len(items), err)
	}
}

func TestLoadWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	db := testdb.Server(t)
	pool := db.Pool("recycling")
	db.Stop()
	r, err := newRules(pool, discard())
	if err != nil {
		t.Fatal(err)
	}
	loaded := make(chan bool, 1)
	go func() { loaded <- r.load(t.Context()) }()
	if r.ready(t.Context()) == nil {
		t.Error("ready without a database")
	}
	db.Restart()
	select {
	case ok := <-loaded:
		if !ok || r.ready(t.Context()) != nil {
			t.Errorf("load = %t, ready = %v", ok, r.ready(t.Context()))
		}
	case <-time.After(testDeadline):
		t.Fatal("rules were not loaded after the database came back")
	}
}

func TestFindItem(t *testing.T) {
	t.Parallel()
	r := newTestRules(t)
	for _, tc := range []struct{ name, class, label, want string }{
		{"exact", "paper", "corrugated_box", "corrugated_box"},
		{"synonym", "paper", "cardboard", "corrugated_box"},
		{"other spelling", "metal", "Soda Can", "aluminum_can"},
		{"Korean", "clear_pet", "생수병", "clear_pet_bottle"},
		{"class decides between two owners", "plastic", "plastic_bottle", "colored_pet_bottle"},
		{"label of one item in another class", "glass", "ceramic_mug", "ceramics"},
		{"ambiguous label of other classes", "eps", "plastic_bottle", "styrofoam_box"},
		{"misspelled", "paper", "corugated_card_board_box", "corrugated_box"},
		{"similar", "metal", "empty_aluminum_cans", "aluminum_can"},
		{"unknown", "glass", "xyzzy", "glass_bottle"},
		{"empty", "bulky", "", "furniture"},
		{"built-in model: glass", "glass", "glass", "glass_bottle"},
		{"built-in model: metal", "metal", "metal", "scrap_metal"},
		{"built-in model: paper", "paper", "paper", "office_paper"},
		{"built-in model: plastic", "plastic", "plastic", "plastic_container"},
		{"built-in model: trash", "general", "trash", "general_waste"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			item, err := r.store.findItem(t.Context(), r.base.Version, wasteClass(tc.class), tc.label)
			if err != nil || item.ID != tc.want {
				t.Errorf("findItem(%s, %s) = %s, %v; want %s", tc.class, tc.label, item.ID, err, tc.want)
			}
		})
	}
}

func get(t *testing.T, web *httptest.Server, path string, want int) map[string]any {
	t.Helper()
	answer, err := http.Get(web.URL + "/api/v1/recycling" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("GET %s: %d %s, want %d", path, answer.StatusCode, body, want)
	}
	cacheable := strings.HasPrefix(answer.Header.Get("Cache-Control"), "public")
	if cacheable != (want == http.StatusOK) {
		t.Errorf("GET %s: %d with Cache-Control %q", path, want, answer.Header.Get("Cache-Control"))
	}
	var decoded map[string]any
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}
