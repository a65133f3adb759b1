package users

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/token"
)

// ErrDeletionNotFound says that nobody was given that id, or long ago.
var ErrDeletionNotFound = problem.New(
	problem.NotFound, "deletion_not_found", "There is no such deletion.",
)

// The stages of a deletion.
const (
	// stageErase: everything is being erased.
	stageErase job.Stage = "erase"
	// stageSettle: everything is erased, and will be looked for once more when what was still
	// under way is over.
	stageSettle job.Stage = "settle"
)

// receiptKept is how long a finished deletion can be asked about.
const receiptKept = 90 * 24 * time.Hour

// Deletion is the journal of one user's erasure. Its id is random: it is the receipt with which to
// ask about it when the account is gone.
type Deletion struct {
	ID uuid.UUID
	// UserID is nil once nothing of the user is left.
	UserID     *uuid.UUID
	Locale     string
	Progress   int
	Passes     int
	NextPassAt *time.Time
	Faults     int
	Erased     erasure.Counts
	Remaining  erasure.Counts
	CreatedAt  time.Time
	UpdatedAt  time.Time
	ErasedAt   *time.Time
	FinishedAt *time.Time
}

// proof is the result of a deletion.
type proof struct {
	ErasedAt *time.Time `json:"erased_at"`
	// Passes is how often everything was looked for.
	Passes    int            `json:"passes"`
	Erased    erasure.Counts `json:"erased"`
	Remaining erasure.Counts `json:"remaining"`
}

// Job renders what the holder of the receipt sees.
func (d *Deletion) Job() (job.Job, error) {
	j := job.Job{
		ID: d.ID, Status: job.Processing, Stage: stageErase, Progress: d.Progress,
		Attempt: d.Faults + 1, Stalled: d.Faults > 0, CreatedAt: d.CreatedAt.UTC(),
		UpdatedAt: d.UpdatedAt.UTC(), FinishedAt: utc(d.FinishedAt),
		ExpiresAt: d.CreatedAt.UTC().Add(receiptKept),
		Links:     job.Links{Self: "/api/v1/users/deletions/" + d.ID.String()},
	}
	switch {
	case d.FinishedAt != nil:
		body, err := json.Marshal(proof{utc(d.ErasedAt), d.Passes, d.Erased, d.Remaining})
		if err != nil {
			return job.Job{}, fmt.Errorf("encoding the proof of a deletion: %w", err)
		}
		j.Status, j.Stage, j.Result = job.Succeeded, job.StageDone, body
		j.ExpiresAt = d.FinishedAt.UTC().Add(receiptKept)
	case d.ErasedAt != nil:
		j.Stage = stageSettle
	}
	j.Message = message("deletion", j.Stage, d.Locale)
	return j, nil
}

// pollAfter is when to ask again: settling takes its time.
func (d *Deletion) pollAfter() time.Duration {
	if d.ErasedAt != nil {
		return settlePoll
	}
	return workPoll
}

const (
	workPoll   = 500 * time.Millisecond
	settlePoll = 30 * time.Second
)

// messages are the sentences for people, by kind of job and stage.
var messages = map[string]map[string]map[job.Stage]string{
	"deletion": {
		"ko": {
			stageErase:    "계정과 모든 기록을 지우고 있어요",
			stageSettle:   "모두 지웠어요. 남은 것이 없는지 한 번 더 확인할게요",
			job.StageDone: "삭제가 끝났어요. 남은 것이 없어요",
		},
		"en": {
			stageErase:    "Erasing the account and everything that belongs to it",
			stageSettle:   "Everything is erased; it will be looked for once more",
			job.StageDone: "The deletion is done: nothing is left",
		},
	},
	"export": {
		"ko": {
			job.StageQueue: "내보내기 순서를 기다리고 있어요",
			stageCollect:   "기록을 모으고 있어요",
			stagePhotos:    "사진을 담고 있어요",
			job.StageDone:  "내보내기가 준비됐어요",
		},
		"en": {
			job.StageQueue: "Waiting for the export's turn",
			stageCollect:   "Collecting the records",
			stagePhotos:    "Packing the photos",
			job.StageDone:  "The export is ready",
		},
	},
}

func message(kind string, stage job.Stage, locale string) string {
	return messages[kind][locale][stage]
}

// DeleteMe begins the user's deletion, or returns the one that goes on. From now on the user is
// refused; what follows is the deleter's work.
func (s *Service) DeleteMe(ctx context.Context, p token.Principal) (Deletion, error) {
	id, err := uuid.NewV4() // not V7: the time in it would make it easier to guess
	if err != nil {
		return Deletion{}, fmt.Errorf("making a deletion's id: %w", err)
	}
	d, isNew, err := s.store.BeginDeletion(ctx, id, p.UserID)
	if err != nil {
		return Deletion{}, err
	}
	if isNew {
		s.audit.Write(ctx, audit.Event{
			Name: audit.DeletionAsked, Outcome: audit.Done, Actor: audit.User(p.UserID),
			Subject: "deletion:" + d.ID.String(),
		})
	}
	return d, nil
}

// Deletion returns the deletion of a receipt.
func (s *Service) Deletion(ctx context.Context, id uuid.UUID) (Deletion, error) {
	d, err := s.store.Deletion(ctx, id)
	if isMissing(err) {
		return Deletion{}, ErrDeletionNotFound
	}
	return d, err
}

// refuseErased returns erasure.ErrErased for a user whose deletion goes on.
func (s *Service) refuseErased(ctx context.Context, user uuid.UUID) error {
	erased, err := s.store.IsErased(ctx, user)
	if err == nil && erased {
		err = erasure.ErrErased
	}
	return err
}
