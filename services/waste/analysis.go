package waste

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/vision"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// The errors that a client sees.
var (
	ErrAnalysisNotFound = problem.New(
		problem.NotFound, "analysis_not_found", "There is no such analysis.")
	ErrAnalysisExpired = problem.New(
		problem.Gone, "analysis_expired", "The analysis has expired.")
	ErrAnalysisFinished = problem.New(
		problem.Conflict, "analysis_finished", "The analysis has ended already.")
	ErrNotSucceeded = problem.New(
		problem.Conflict, "analysis_not_succeeded", "The analysis has no answer.")
	ErrKeyMissing = problem.New(
		problem.Malformed, "idempotency_key_missing",
		"Send an Idempotency-Key of 1 to 255 visible ASCII characters.")
	ErrKeyReused = problem.New(
		problem.Invalid, "idempotency_key_reused",
		"The Idempotency-Key was used before with another body.")
	ErrInvalid = problem.New(
		problem.Invalid, "invalid", "The request has invalid fields.")
	ErrPhotoNotFound = problem.New(
		problem.NotFound, "photo_not_found", "The photo is not kept.")
)

// The errors that end a job.
var (
	errAbandoned = problem.New(problem.Unavailable, "analysis_abandoned",
		"The analysis was interrupted too often. Please try again.")
	errUnavailable = problem.New(problem.Unavailable, "analysis_unavailable",
		"A part of the system could not be reached. Please try again later.")
	errVisionUnavailable = problem.New(problem.Unavailable, "vision_unavailable",
		"The photo could not be recognized right now. Please try again later.")
	errVisionRefused = problem.New(problem.Invalid, "vision_refused",
		"The photo could not be recognized. Please take another one.")
	errIncomplete = problem.New(problem.Internal, "internal",
		"the job has no verdict or no advice to complete")
	errChecksum = problem.New(problem.Invalid, "checksum_mismatch",
		"The photo that arrived is not the one that was announced.")
)

// Location is where the user is, in degrees (WGS 84).
type Location struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

// Analysis is one job.
type Analysis struct {
	ID             uuid.UUID
	UserID         uuid.UUID
	UploadID       uuid.UUID
	IdempotencyKey string
	RequestHash    []byte
	RequestID      string
	Locale         string
	Lat, Lng       *float64
	Status         job.Status
	Progress       int
	Stage          job.Stage
	// NextTask continues the job; Dispatch tells its enqueues apart.
	NextTask string
	Dispatch int
	// Attempt is the fencing token of whoever claimed the job last.
	Attempt     int
	Version     int64
	Tries       int
	Restarts    int
	Worker      *string
	CheckAt     *time.Time
	PhotoKey    *string
	Fingerprint *string
	Verdict     *vision.Verdict
	// VerdictCached tells that the verdict is that of an earlier photo.
	VerdictCached bool
	Advice        *pipeline.Advice
	Result        json.RawMessage
	Error         *problem.Document
	CreatedAt     time.Time
	UpdatedAt     time.Time
	StartedAt     *time.Time
	FinishedAt    *time.Time
	ExpiresAt     time.Time
}

// Feedback is a user's word that an answer was wrong.
type Feedback struct {
	Class   wasteclass.Class `json:"class"`
	Comment string           `json:"comment"`
}

// maxComment is in characters.
const maxComment = 500

// Validate reports every fault at once.
func (f Feedback) Validate() error {
	var faults []problem.Field
	if !f.Class.Valid() {
		faults = append(faults, problem.Field{
			Pointer: "/class", Code: "unknown", Detail: "is not a class of waste",
		})
	}
	if len([]rune(f.Comment)) > maxComment {
		faults = append(faults, problem.Field{
			Pointer: "/comment", Code: "too_long", Detail: "has more than 500 characters",
		})
	}
	if strings.ContainsRune(f.Comment, 0) { // PostgreSQL's text cannot hold it
		faults = append(faults, problem.Field{
			Pointer: "/comment", Code: "not_text", Detail: "has the character NUL",
		})
	}
	return invalid(faults)
}

func invalid(faults []problem.Field) error {
	if len(faults) == 0 {
		return nil
	}
	return ErrInvalid.WithFields(faults...)
}

func selfLink(id uuid.UUID) string { return "/api/v1/waste/analyses/" + id.String() }

// Job renders what the owner sees.
func (a *Analysis) Job() job.Job {
	self := selfLink(a.ID)
	return job.Job{
		ID: a.ID, Status: a.Status, Progress: a.Progress, Stage: a.Stage,
		Message: job.Message(a.Stage, a.Locale), Attempt: a.Restarts + 1,
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
		FinishedAt: a.FinishedAt, ExpiresAt: a.ExpiresAt,
		Result: a.Result, Error: a.Error,
		Links: job.Links{Self: self, Cancel: self + "/cancel"},
	}
}

// task is the message that continues the job.
func (a *Analysis) task(cfg JobsConfig) taskSpec {
	ref := pipeline.JobRef{JobID: a.ID, Dispatch: a.Dispatch}
	spec := taskSpec{Type: a.NextTask, Payload: ref, Timeout: cfg.TaskTimeout}
	switch a.NextTask {
	case pipeline.Advise:
		spec.Payload = pipeline.AdviseRequest{
			JobRef: ref, Version: a.Version, RequestID: a.RequestID, Locale: a.Locale,
			Found: found(*a.Verdict),
		}
	case pipeline.Complete:
		spec.Payload = pipeline.CompleteRequest{JobRef: ref}
	}
	return spec
}

type taskSpec struct {
	Type    string
	Payload any
	Timeout time.Duration
}

func found(v vision.Verdict) pipeline.Found {
	f := pipeline.Found{Class: v.Class, Label: v.Label}
	for _, p := range v.Parts {
		f.Parts = append(f.Parts, pipeline.Part{Name: p.Name, Class: p.Class})
	}
	return f
}
