//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/trashnet"
)

// TestLocalVision is the first use without a key: the stack tells materials apart by itself.
func TestLocalVision(t *testing.T) {
	all, err := trashnet.Photos(trashnet.Folder(filepath.Join("..")))
	if err != nil {
		t.Fatal(err)
	}
	const perClass = 5
	class, paths, taken := map[string]string{}, []string{}, map[string]int{}
	for _, p := range all {
		// Photos of the held-out block, spread over it: neighbors show one object.
		if p.Part == trashnet.Test && p.Number%4 == 0 && taken[p.Class] < perClass {
			taken[p.Class]++
			class[p.Path] = p.Class
			paths = append(paths, p.Path)
		}
	}
	if len(paths) == 0 {
		t.Skip("there are no photos; set WASTECOACH_PHOTOS")
	}
	s := startStack(t, nil)
	var got analyses
	s.wcctl(nil, append([]string{"analyze", "-o", "json"}, paths...)...).ok().into(&got)
	right := map[string]int{}
	for _, a := range got.Analyses {
		if a.Status != job.Succeeded || a.Answer == nil || len(a.Answer.Advice.Steps) == 0 {
			t.Fatalf("%s: %+v", a.Photo, a)
		}
		v := a.Answer.Vision
		t.Logf("%s: %s, %.0f %%, unsure %t, rule %s", filepath.Base(a.Photo), v.Label, 100*v.Confidence, v.Unsure,
			a.Answer.Advice.ItemID)
		if v.Model != "local" || v.Confidence <= 0 || v.Confidence > 1 || v.NoteEN == "" {
			t.Errorf("%s: verdict %+v", a.Photo, v)
		}
		if v.Label == class[a.Photo] {
			right[v.Label]++
		}
	}
	sum := 0
	for _, label := range trashnet.Labels() {
		sum += right[label]
		if right[label] == 0 {
			t.Errorf("no photo of %s was recognized", label)
		}
	}
	if sum < len(paths)*2/3 {
		t.Errorf("%d of %d photos are right", sum, len(paths))
	}
}
