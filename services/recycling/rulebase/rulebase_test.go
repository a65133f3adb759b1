package rulebase

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	base, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	count := map[wasteclass.Class]int{}
	for _, item := range base.Items {
		count[item.Class]++
	}
	t.Logf("version %s, %d items: %v", base.Version, len(base.Items), count)
	if len(base.Items) < 120 {
		t.Errorf("%d items, want at least 120", len(base.Items))
	}
	for _, class := range wasteclass.All() {
		if count[class] == 0 {
			t.Errorf("class %s has no item", class)
		}
	}
	again, err := Load()
	if err != nil || again.Version != base.Version {
		t.Errorf("loaded again: version %s, %v; want %s", again.Version, err, base.Version)
	}
}

func TestLabelsOfVisionModels(t *testing.T) {
	t.Parallel()
	base, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{}
	for _, item := range base.Items {
		for _, label := range item.Labels() {
			owner[string(item.Class)+"/"+label] = item.ID
		}
	}
	for label, want := range map[string]string{
		"paper/cardboard": "corrugated_box", "paper/corrugated_box": "corrugated_box",
		"paper/office_paper": "office_paper", "clear_pet/pet_bottle": "clear_pet_bottle",
		"clear_pet/clear_pet_bottle": "clear_pet_bottle", "plastic/pet_bottle": "colored_pet_bottle",
		"plastic/plastic_container": "plastic_container", "vinyl/snack_bag": "snack_bag",
		"glass/glass_bottle": "glass_bottle", "metal/can": "aluminum_can",
		"metal/aluminum_can": "aluminum_can", "general/receipt": "receipt",
		"non_combustible/ceramic_mug": "ceramics", "eps/styrofoam": "styrofoam_box",
	} {
		if owner[label] != want {
			t.Errorf("%s is %q, want %s", label, owner[label], want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, old, new, want string }{
		{"missing field", "items/glass.yaml", "    sources: [deposit, guideline]\n", "", "sources"},
		{"unknown field", "items/glass.yaml", "class: glass\n", "class: glass\nextra: 1\n", "extra"},
		{"English in Korean", "items/eps.yaml", "ko: \"스티로폼 상자\"", "ko: foam", "ko"},
		{"unknown source", "items/food.yaml", "[waste_act]", "[hearsay]", "hearsay"},
		{"two defaults", "items/food.yaml", "- id: cooking_oil", "- id: cooking_oil\n    default: true", "2 default"},
		{"no default", "items/food.yaml", "    default: true\n", "", "0 default"},
		{"two of one id", "items/food.yaml", "id: cooking_oil", "id: food_waste", "two items"},
		{"shared label", "items/food.yaml", "[cooking oil,", "[leftovers, cooking oil,", "leftovers"},
		{"two of one step", "items/food.yaml", "id: drain", "id: put_out", "two steps"},
		{"wrong class", "items/food.yaml", "class: food", "class: glass", "about glass"},
		{"unknown class", "items/food.yaml", "class: food", "class: gold", "class"},
		{"region's unknown source", "regions/kr-11680.yaml", "gangnam_days", "hearsay", "hearsay"},
		{"region's unknown day", "regions/kr-11680.yaml", "[thu]", "[day]", "days"},
		{"region's time", "regions/kr-11680.yaml", "20:00", "25:00", "from"},
		{"region's unknown class", "regions/kr-11680.yaml", "[clear_pet,", "[gold,", "classes"},
		{"region's file", "regions/kr-11680.yaml", "id: kr-11680", "id: kr-11681", "about kr-11681"},
		{"not YAML", "items/food.yaml", "class: food", "class: [", "parsing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			folder := copied(t)
			text := string(folder[tc.file].Data)
			if !strings.Contains(text, tc.old) {
				t.Fatalf("%s does not hold %q", tc.file, tc.old)
			}
			folder[tc.file].Data = []byte(strings.Replace(text, tc.old, tc.new, 1))
			if _, err := load(folder); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("load = %v, want an error about %q", err, tc.want)
			}
		})
	}
}

func TestVersionFollowsText(t *testing.T) {
	t.Parallel()
	folder := copied(t)
	before, err := load(folder)
	if err != nil {
		t.Fatal(err)
	}
	file := folder["items/glass.yaml"]
	file.Data = append(file.Data, "# a comment\n"...)
	same, err := load(folder)
	if err != nil || same.Version != before.Version {
		t.Errorf("a comment made version %s of %s, %v", same.Version, before.Version, err)
	}
	file.Data = []byte(strings.Replace(string(file.Data), "Empty it and rinse", "Empty it, rinse", 1))
	after, err := load(folder)
	if err != nil || after.Version == before.Version {
		t.Errorf("another text has the same version %s, %v", after.Version, err)
	}
}

func TestRegionAddsItsDays(t *testing.T) {
	t.Parallel()
	base, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	region, ok := base.Region("kr-11680")
	if !ok {
		t.Fatal("Gangnam-gu is missing")
	}
	for _, item := range base.Items {
		steps, sources := len(item.Steps), len(item.Sources)
		local := region.Apply(item)
		last := local.Steps[len(local.Steps)-1]
		switch item.ID {
		case "clear_pet_bottle":
			want := "In Gangnam-gu, Seoul (detached and row houses, small shops), " +
				"put it out on Thursday between 20:00 and 05:00."
			if last.ID != "region_days" || last.EN != want || len(local.Sources) != sources+1 {
				t.Errorf("last step %+v with sources %v", last, local.Sources)
			}
		case "glass_bottle":
			if !strings.Contains(last.KO, "월요일·화요일·수요일·금요일·일요일 20:00부터 05:00") {
				t.Errorf("last step %+v", last)
			}
		case "food_waste":
			if len(local.Steps) != steps {
				t.Errorf("a class without an override got the step %+v", last)
			}
		}
		if len(item.Steps) != steps || len(item.Sources) != sources {
			t.Errorf("item %s itself was changed", item.ID)
		}
	}
	if _, ok := base.Region("kr-99999"); ok {
		t.Error("an unknown region is known")
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"PET Bottle": "pet_bottle", "t-shirt ": "t_shirt", "투명 페트병": "투명_페트병", "(…)": "",
	} {
		if got := Label(words); got != want {
			t.Errorf("Label(%q) = %q, want %q", words, got, want)
		}
	}
}

func copied(t *testing.T) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		folder[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
