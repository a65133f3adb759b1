package recycling

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gofrs/uuid/v5"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var contract = apitest.Must(apidoc.Document("recycling"))

func wasteClass(name string) wasteclass.Class { return wasteclass.Class(name) }

// TestAPI is one test, so that it can ask at its end whether every documented answer was seen.
func TestAPI(t *testing.T) {
	t.Parallel()
	p := setup(t)
	r, web := p.rules, p.web(t, p.rules)

	t.Run("pages cover all items once", func(t *testing.T) {
		seen, token := map[string]bool{}, ""
		for {
			page := get(t, web, "/items?page_size=10&page_token="+token, http.StatusOK)
			items, _ := page["items"].([]any)
			for _, item := range items {
				fields, _ := item.(map[string]any)
				id, _ := fields["id"].(string)
				if seen[id] {
					t.Errorf("item %s is on two pages", id)
				}
				seen[id] = true
			}
			if token, _ = page["next_page_token"].(string); token == "" {
				break
			}
		}
		if len(seen) != len(r.base.Items) {
			t.Errorf("%d items on all pages, want %d", len(seen), len(r.base.Items))
		}
	})
	t.Run("class and query", func(t *testing.T) {
		page := get(t, web, "/items?class=glass&locale=en", http.StatusOK)
		if items, _ := page["items"].([]any); len(items) != 6 {
			t.Errorf("%d items of class glass, want 6", len(items))
		}
		page = get(t, web, "/items?class=glass&q="+url.QueryEscape("소주"), http.StatusOK)
		items, _ := page["items"].([]any)
		if len(items) == 0 || items[0].(map[string]any)["id"] != "deposit_bottle" {
			t.Errorf("search for soju found %v", items)
		}
	})
	t.Run("item", func(t *testing.T) {
		ko := get(t, web, "/items/clear_pet_bottle", http.StatusOK)
		en := get(t, web, "/items/clear_pet_bottle?locale=en", http.StatusOK)
		if ko["name"] != "투명 페트병" || en["name"] != "Clear PET bottle" {
			t.Errorf("names %v and %v", ko["name"], en["name"])
		}
		steps, _ := en["steps"].([]any)
		var ids []string
		for _, step := range steps {
			id, _ := step.(map[string]any)["id"].(string)
			ids = append(ids, id)
		}
		if got := strings.Join(ids, " "); got != "empty_rinse remove_label crush close_cap put_out" {
			t.Errorf("steps %s", got)
		}
		if reasons, _ := en["not_recyclable"].([]any); len(reasons) == 0 || en["region"] != "kr" {
			t.Errorf("not recyclable %v, region %v", reasons, en["region"])
		}
		get(t, web, "/items/nothing", http.StatusNotFound)
		get(t, web, "/items/%00", http.StatusNotFound)
	})
	t.Run("regions", func(t *testing.T) {
		body := get(t, web, "/regions?locale=en", http.StatusOK)
		regions, _ := body["regions"].([]any)
		if len(regions) != len(r.base.Regions) || len(regions) == 0 {
			t.Fatalf("%d regions", len(regions))
		}
		for region, want := range map[string]string{
			"kr": "kr", "kr-11680": "kr-11680", "kr-99999": "kr",
		} {
			item := get(t, web, "/items/clear_pet_bottle?locale=en&region="+region, http.StatusOK)
			steps, _ := item["steps"].([]any)
			last, _ := steps[len(steps)-1].(map[string]any)
			if item["region"] != want || (last["id"] == "region_days") != (want != "kr") {
				t.Errorf("in %s: region %v, last step %v", region, item["region"], last)
			}
		}
		if item := get(t, web, "/items/mattress?region=kr-11680", http.StatusOK); item["region"] != "kr" {
			t.Errorf("a class that Gangnam-gu says nothing about is of region %v", item["region"])
		}
	})
	t.Run("advice", func(t *testing.T) { testAdviceRoute(t, p, web) })
	t.Run("categories", func(t *testing.T) {
		body := get(t, web, "/categories?locale=en", http.StatusOK)
		categories, _ := body["categories"].([]any)
		if len(categories) != len(wasteclass.All()) {
			t.Fatalf("%d categories", len(categories))
		}
		for i, class := range wasteclass.All() {
			if fields, _ := categories[i].(map[string]any); fields["class"] != string(class) {
				t.Errorf("category %d is %v, want %s", i, fields["class"], class)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		token := pageToken(5, filter{Class: "glass"})
		for query, pointer := range map[string]string{
			"/items?class=gold":                         "class",
			"/items?locale=fr":                          "locale",
			"/items?page_size=0":                        "page_size",
			"/items?page_size=101":                      "page_size",
			"/items?page_size=x":                        "page_size",
			"/items?page_token=!":                       "page_token",
			"/items?class=paper&page_token=" + token:    "page_token",
			"/items?q=" + strings.Repeat("a", 101):      "q",
			"/items?q=%00":                              "q",
			"/items?q=%ff":                              "q",
			"/items/receipt?locale=de":                  "locale",
			"/categories?locale=":                       "locale",
			"/regions?locale=fr":                        "locale",
			"/items/receipt?region=seoul":               "region",
			"/items?q=ok&class=glass&page_size=1000000": "page_size",
		} {
			doc := get(t, web, query, http.StatusUnprocessableEntity)
			faults, _ := doc["errors"].([]any)
			if len(faults) != 1 || faults[0].(map[string]any)["pointer"] != pointer {
				t.Errorf("GET %s: faults %v, want one of %s", query, faults, pointer)
			}
		}
	})
	t.Run("without rules or database", func(t *testing.T) {
		pool := testdb.New(t, "recycling").Pool("recycling")
		fresh, err := newRules(pool, discard())
		if err != nil {
			t.Fatal(err)
		}
		early := p.web(t, fresh)
		wanted := `{"item_id": "receipt"}`
		paths := []string{"/items", "/items/receipt", "/categories"}
		for _, path := range paths {
			if doc := get(t, early, path, http.StatusServiceUnavailable); doc["retryable"] != true {
				t.Errorf("GET %s before the load: %v", path, doc)
			}
		}
		post(t, early, wanted, http.StatusServiceUnavailable)
		pool.Close()
		fresh.loaded.Store(true)
		for _, path := range paths {
			get(t, early, path, http.StatusInternalServerError)
		}
		post(t, early, wanted, http.StatusInternalServerError)
		get(t, early, "/advice/"+uuid.Must(uuid.NewV7()).String(), http.StatusInternalServerError)
	})
	contract.Covered(t)
}
