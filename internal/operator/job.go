// Package operator is how wcctl asks a service, beside the API, about the jobs of all users, and acts
// on them.
package operator

import (
	"encoding/json"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
)

// Query chooses jobs; its zero value is the newest of all.
type Query struct {
	// Status keeps jobs in one of these; empty keeps all.
	Status []job.Status
	// Text keeps jobs whose id or user begins with it, or whose class, item or error contains it. What
	// has four or more hexadecimal digits is an id.
	Text string
	// Stalled keeps jobs that are stalled or orphaned.
	Stalled bool
	// Limit bounds the page.
	Limit int
	// Before is the cursor of an earlier page; empty is the first.
	Before string
}

// Page is the newest jobs that a query chose, and the counts of all.
type Page struct {
	Items []Job `json:"items"`
	// Next is the cursor of the next page. A search by words looks at 2,000 jobs a page, so
	// that a page may be short, or empty, and yet have a next one.
	Next string `json:"next,omitempty"`
	// Counts are of all jobs by status, whatever the query.
	Counts map[job.Status]int64 `json:"counts"`
	// Last24h is the share and number of what ended in the last 24 hours, to the hour.
	Last24h Outcome24h `json:"last_24h"`
}

// Outcome24h sums up what ended in the last 24 hours.
type Outcome24h struct {
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	Canceled  int64 `json:"canceled"`
	// Cached counts the succeeded ones for which no vision model was called.
	Cached int64 `json:"cached"`
}

// Job is one analysis as an operator sees it.
type Job struct {
	ID   uuid.UUID `json:"id"`
	User uuid.UUID `json:"user"`
	// Queue and Task are where its next or present task is.
	Queue    string     `json:"queue"`
	Task     string     `json:"task"`
	Status   job.Status `json:"status"`
	Stage    job.Stage  `json:"stage"`
	Progress int        `json:"progress"` // percent, 0–100
	// Attempt counts the runs of the whole job, Tries the failures of the present stage.
	Attempt int `json:"attempt"`
	Tries   int `json:"tries"`
	// Stalled: its worker has not been heard of. Orphan: no task in Redis will ever continue it.
	Stalled bool `json:"stalled"`
	Orphan  bool `json:"orphan"`
	// Archived: an operator took it out of the queue; it waits for a retry.
	Archived bool   `json:"archived"`
	Class    string `json:"class,omitempty"`
	Item     string `json:"item,omitempty"`
	Cached   bool   `json:"cached"`
	Worker   string `json:"worker,omitempty"`
	// Lease is until when its worker holds it.
	Lease      *time.Time `json:"lease,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	UpdatedAt  time.Time  `json:"updated_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// ETA is when it will end, by the durations of late; null where nothing is known.
	ETA   *time.Time `json:"eta,omitempty"`
	Error *JobError  `json:"error,omitempty"`
}

// JobError is why a job, or one try of a stage, failed.
type JobError struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

// JobDetail is all that is known of one job.
type JobDetail struct {
	Job
	RequestID string          `json:"request_id"`
	Payload   json.RawMessage `json:"payload"`
	Steps     []Step          `json:"steps"`
	Photo     *Photo          `json:"photo,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	// TaskState is asynq's word for its task: pending, active, scheduled, retry, archived, completed.
	TaskState string `json:"task_state,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// Step is one stage of one attempt. Stage queue is the wait for a worker.
type Step struct {
	Attempt   int        `json:"attempt"`
	Stage     job.Stage  `json:"stage"`
	Worker    string     `json:"worker,omitempty"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Error     *JobError  `json:"error,omitempty"`
}

// Photo is what is known of the photo, without the photo.
type Photo struct {
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"` // bytes
	ContentType string `json:"content_type"`
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
}

// Event is something that happened: a failure, an operator's action, a worker that came or went, a
// warning of Kubernetes.
type Event struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`    // e.g. job.failed, job.retried, queue.paused, pod.warning
	Subject string    `json:"subject"` // e.g. a job's id
	Message string    `json:"message"`
	// Actor is who did it, for actions.
	Actor string `json:"actor,omitempty"`
	Bad   bool   `json:"bad"`
}
