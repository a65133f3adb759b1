package waste

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/trashnet"
)

// TestBuiltInModelAnswersWithoutANetwork sees to it that an unsure answer is not kept for others.
func TestBuiltInModelAnswersWithoutANetwork(t *testing.T) {
	t.Parallel()
	s := setup(t, "WASTE_VISION_PROVIDER=local")
	s.work()
	unsure := 0
	for seed := range uint64(4) {
		photo := jpegOf(40 + seed)
		v := s.succeeded(s.analyze(s.upload(photo).UploadID).want(http.StatusAccepted).job().ID).Vision
		if v.Model != "local" || !slices.Contains(trashnet.Labels(), v.Label) || !v.Class.Valid() ||
			!strings.Contains(v.NoteEN, "knows only") {
			t.Errorf("verdict %+v", v)
		}
		again := http.StatusCreated
		if v.Unsure {
			again = http.StatusAccepted
			unsure++
		}
		s.analyze(s.upload(photo).UploadID).want(again)
	}
	t.Logf("%d of 4 drawn pictures are nothing that the model is sure of", unsure)
	if calls := len(s.model.Calls()); calls != 0 {
		t.Errorf("%d calls of the remote model", calls)
	}
}
