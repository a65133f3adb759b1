package recycling

import (
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
)

func TestEraseForgetsTheAdviceToJobs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := p.worker(t, "one")
	mine, others := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for _, id := range []uuid.UUID{mine, others} {
		if _, err := w.store.claimJob(t.Context(), id, make([]byte, 32), "one", testLease); err != nil {
			t.Fatal(err)
		}
	}
	e := &eraser{p.rules.store}
	request := erasure.Request{UserID: uuid.Must(uuid.NewV7()), Jobs: []uuid.UUID{mine, uuid.Must(uuid.NewV7())}}
	for _, want := range []int64{1, 0} {
		left, err := e.Left(t.Context(), request)
		if err != nil || left.Counts[adviceJobs] != want {
			t.Errorf("left %v, %v; want %d", left.Counts, err, want)
		}
		erased, err := e.Erase(t.Context(), request)
		if err != nil || erased.Counts[adviceJobs] != want {
			t.Errorf("erased %v, %v; want %d", erased.Counts, err, want)
		}
	}
	kept, err := e.Left(t.Context(), erasure.Request{Jobs: []uuid.UUID{others}})
	if err != nil || kept.Counts[adviceJobs] != 1 {
		t.Errorf("another's advice: %v, %v", kept.Counts, err)
	}
	if none, err := e.Erase(t.Context(), erasure.Request{}); err != nil || none.Counts.Total() != 0 {
		t.Errorf("without jobs it erased %v, %v", none.Counts, err)
	}
}
