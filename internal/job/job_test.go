package job_test

import (
	"testing"

	"github.com/wastecoach/wastecoach/internal/job"
)

func TestEveryStageHasItsSentence(t *testing.T) {
	t.Parallel()
	stages := []job.Stage{
		job.StageUpload, job.StageQueue, job.StageFetch, job.StageCache, job.StagePrepare,
		job.StageVision, job.StageAdvice, job.StageLocation, job.StageDone,
	}
	seen := map[string]job.Stage{}
	for _, stage := range stages {
		korean, english := job.Message(stage, "ko"), job.Message(stage, "en")
		for _, message := range []string{korean, english} {
			if other, twice := seen[message]; message == "" || twice {
				t.Errorf("%s says %q, as %s does", stage, message, other)
			}
			seen[message] = stage
		}
		if ascii(korean) || !ascii(english) {
			t.Errorf("%s mixes languages up: %q, %q", stage, korean, english)
		}
		for _, locale := range []string{"", "fr", "KO"} {
			if got := job.Message(stage, locale); got != korean {
				t.Errorf("%s in %q: %q", stage, locale, got)
			}
		}
	}
}

func ascii(s string) bool {
	for _, r := range s {
		if r > 127 {
			return false
		}
	}
	return true
}

func TestFinal(t *testing.T) {
	t.Parallel()
	want := map[job.Status]bool{
		job.AwaitingUpload: false, job.Queued: false, job.Processing: false,
		job.Succeeded: true, job.Failed: true, job.Canceled: true, job.Expired: true,
	}
	statuses := job.Statuses()
	if len(statuses) != len(want) {
		t.Errorf("there are %d statuses: %v", len(want), statuses)
	}
	for _, s := range statuses {
		final, known := want[s]
		if !known || s.Final() != final {
			t.Errorf("%s: known %t, final %t", s, known, s.Final())
		}
	}
}
