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

// What an export can be refused with.
var (
	ErrExportNotFound = problem.New(
		problem.NotFound, "export_not_found", "There is no export: ask for one.",
	)
	ErrExportNotReady = problem.New(
		problem.Conflict, "export_not_ready", "The export is not ready.",
	)
	ErrExportExpired = problem.New(
		problem.Gone, "export_expired", "The export is not kept any more: ask for a new one.",
	)
	errExportFailed = problem.New(
		problem.Unavailable, "export_failed", "The export could not be made. Please try again later.",
	)
)

// The stages of an export, after job.StageQueue and before job.StageDone.
const (
	stageCollect job.Stage = "collect" // until 20: what the services hold, as JSON
	stagePhotos  job.Stage = "photos"  // until 90
)

// The progress that ends a stage.
const (
	collected = 20
	packed    = 90
)

// downloadValid is how long a link to an export works.
const downloadValid = 5 * time.Minute

const exportSelf = "/api/v1/users/me/export"

// Export is a user's newest copy of everything, as a zip in S3.
type Export struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Locale     string
	Status     job.Status
	Progress   int
	Attempt    int
	Size       *int64
	Photos     *int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time
	ExpiresAt  time.Time
}

func (e *Export) key() string { return exportPrefix(e.UserID) + e.ID.String() + ".zip" }

type exportResult struct {
	// Size is in bytes.
	Size   *int64 `json:"size"`
	Photos *int   `json:"photos"`
}

// Job renders what the user sees.
func (e *Export) Job() (job.Job, error) {
	j := job.Job{
		ID: e.ID, Status: e.Status, Progress: e.Progress, Stage: e.stage(), Attempt: max(1, e.Attempt),
		CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(), FinishedAt: utc(e.FinishedAt),
		ExpiresAt: e.ExpiresAt.UTC(), Links: job.Links{Self: exportSelf},
	}
	j.Message = message("export", j.Stage, e.Locale)
	switch e.Status {
	case job.Failed:
		doc := errExportFailed.Document()
		doc.Instance = exportSelf
		j.Error = &doc
	case job.Succeeded:
		body, err := json.Marshal(exportResult{e.Size, e.Photos})
		if err != nil {
			return job.Job{}, fmt.Errorf("encoding the result of an export: %w", err)
		}
		j.Result, j.Links.Download = body, exportSelf+"/download"
	}
	return j, nil
}

func (e *Export) stage() job.Stage {
	switch {
	case e.Status == job.Queued:
		return job.StageQueue
	case e.Status == job.Succeeded || e.Status == job.Expired:
		return job.StageDone
	case e.Progress < collected:
		return stageCollect
	default:
		return stagePhotos
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// BeginExport asks for a new export, or returns the one under way.
func (s *Service) BeginExport(ctx context.Context, p token.Principal) (Export, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Export{}, fmt.Errorf("making an export's id: %w", err)
	}
	e, err := s.store.BeginExport(ctx, id, p.UserID, s.exportKept)
	if isMissing(err) {
		return Export{}, erasure.ErrErased // this moment
	}
	return e, err
}

// Export returns the user's newest export.
func (s *Service) Export(ctx context.Context, p token.Principal) (Export, error) {
	e, err := s.store.Export(ctx, p.UserID)
	if isMissing(err) {
		return Export{}, ErrExportNotFound
	}
	return e, err
}

// ExportURL returns a short-lived link to the zip.
func (s *Service) ExportURL(ctx context.Context, p token.Principal) (string, error) {
	e, err := s.Export(ctx, p)
	if err != nil {
		return "", err
	}
	if e.Status == job.Expired {
		return "", ErrExportExpired
	}
	if e.Status != job.Succeeded {
		return "", ErrExportNotReady
	}
	link, err := s.objects.PresignGet(ctx, e.key(), downloadValid)
	if err != nil {
		return "", err
	}
	s.audit.Write(ctx, audit.Event{
		Name: audit.ExportFetched, Outcome: audit.Done, Actor: audit.User(p.UserID),
		Subject: "export:" + e.ID.String(),
	})
	return link, nil
}
