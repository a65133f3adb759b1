// Package monitor reads how the running system is, and acts on its jobs and queues.
package monitor

import (
	"encoding/json"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
)

// Part is a piece of the picture that is read on its own, and may fail on its own.
type Part string

// The parts.
const (
	Jobs     Part = "jobs"
	Queues   Part = "queues"
	Workers  Part = "workers"
	Services Part = "services"
	Cluster  Part = "cluster"
	Events   Part = "events"
)

// Picture is the system at one moment. Each part is what was read last; Faults names those that could
// not be read this time.
type Picture struct {
	At time.Time `json:"at"`
	// Source names the system, e.g. "wcctl dev at http://127.0.0.1:8080" or "cluster waste".
	Source   string         `json:"source"`
	Jobs     JobPage        `json:"jobs"`
	Queues   []Queue        `json:"queues"`
	Workers  []Worker       `json:"workers"`
	Services []Service      `json:"services"`
	Cluster  *ClusterState  `json:"cluster"` // null: the system runs on no cluster
	Events   []Event        `json:"events"`
	Faults   map[Part]Fault `json:"faults,omitempty"`
}

// Fault tells why a part is old.
type Fault struct {
	// Message is for people, e.g. "Redis at 127.0.0.1:6379 does not answer".
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// ReadAt is when the part was read last; zero if never.
	ReadAt time.Time `json:"read_at"`
}

// JobQuery chooses jobs; its zero value is the newest of all.
type JobQuery struct {
	// Status keeps jobs in one of these; empty keeps all.
	Status []job.Status
	// Text keeps jobs whose id or user begins with it, or whose class, item or error contains it.
	Text string
	// Stalled keeps jobs that are stalled or orphaned.
	Stalled bool
	// Limit bounds the page.
	Limit int
	// Before is the cursor of an earlier page; empty is the first.
	Before string
}

// JobPage is the newest jobs that a query chose, and the counts of all.
type JobPage struct {
	Items []Job  `json:"items"`
	Next  string `json:"next,omitempty"`
	// Counts are of all jobs by status, whatever the query.
	Counts map[job.Status]int64 `json:"counts"`
	// Last24h is the share and number of what ended in the last 24 hours.
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
	Stalled bool   `json:"stalled"`
	Orphan  bool   `json:"orphan"`
	Class   string `json:"class,omitempty"`
	Item    string `json:"item,omitempty"`
	Cached  bool   `json:"cached"`
	Worker  string `json:"worker,omitempty"`
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

// JobError is why a job failed.
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

// Step is one stage of one attempt.
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

// Queue is one queue of tasks. Pending, active and the others exclude each other.
type Queue struct {
	Name      string `json:"name"`
	Paused    bool   `json:"paused"`
	Pending   int64  `json:"pending"`
	Active    int64  `json:"active"`
	Scheduled int64  `json:"scheduled"`
	Retry     int64  `json:"retry"`
	Archived  int64  `json:"archived"`
	Completed int64  `json:"completed"`
	// Oldest is the age of the task that has waited longest.
	Oldest time.Duration `json:"oldest_ns"`
	// Processed and Failed count tasks since the queue was made; a watcher makes rates of them.
	Processed int64 `json:"processed"`
	Failed    int64 `json:"failed"`
	// Wait is from due to start, Run from start to end, of the last minutes.
	Wait Latency `json:"wait"`
	Run  Latency `json:"run"`
	// Orphans are active tasks that no worker holds.
	Orphans int64 `json:"orphans"`
}

// Latency sums up durations; zero where none was measured.
type Latency struct {
	P50 time.Duration `json:"p50_ns"`
	P95 time.Duration `json:"p95_ns"`
}

// Worker is one process that takes tasks.
type Worker struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Queues      []string  `json:"queues"`
	Concurrency int       `json:"concurrency"`
	StartedAt   time.Time `json:"started_at"`
	// Status is asynq's: active, closed, stopped.
	Status  string    `json:"status"`
	Running []Running `json:"running"`
}

// Running is a task in a worker's hands.
type Running struct {
	Task  string        `json:"task"`
	Job   uuid.NullUUID `json:"job"`
	Since time.Time     `json:"since"`
	// Deadline is when the worker gives it up, Lease until when it is its own without a heartbeat.
	Deadline time.Time `json:"deadline"`
	Lease    time.Time `json:"lease"`
}

// Service is one of the services with all its replicas, or a worker pool.
type Service struct {
	Name     string `json:"name"`
	Replicas int    `json:"replicas"`
	Ready    int    `json:"ready"`
	// Versions are those that run, more than one during a rollout.
	Versions []string `json:"versions"`
	// Rate is in requests per second, or tasks; Errors the share of 5xx, or failed tasks, 0–1.
	Rate   float64       `json:"rate"`
	Errors float64       `json:"errors"`
	P95    time.Duration `json:"p95_ns"`
	// Why tells of replicas that are not ready.
	Why string `json:"why,omitempty"`
}

// ClusterState is Kubernetes below the system.
type ClusterState struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Nodes   []Node `json:"nodes"`
	// Pods counts pods by phase; Waiting names those that do not start, with the reason.
	Pods    map[string]int `json:"pods"`
	Waiting []string       `json:"waiting"`
	// CertificatesExpire is the first end of a certificate; BackupAt the last backup, null for none.
	CertificatesExpire *time.Time `json:"certificates_expire,omitempty"`
	BackupAt           *time.Time `json:"backup_at,omitempty"`
	Rollouts           []Rollout  `json:"rollouts"`
}

// Node is a machine of the cluster. CPU and Memory are shares of what it has, 0–1.
type Node struct {
	Name     string   `json:"name"`
	Roles    []string `json:"roles"`
	Ready    bool     `json:"ready"`
	Pressure []string `json:"pressure"`
	CPU      *float64 `json:"cpu,omitempty"`
	Memory   *float64 `json:"memory,omitempty"`
	Pods     int      `json:"pods"`
}

// Rollout is a change of version under way.
type Rollout struct {
	Name    string `json:"name"`
	Wanted  int    `json:"wanted"`
	Updated int    `json:"updated"`
	Ready   int    `json:"ready"`
}

// Event is something that happened, newest first in a picture: a failure, an operator's action, a
// worker that came or went, a warning of Kubernetes.
type Event struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`    // e.g. job.failed, job.retried, queue.paused, pod.warning
	Subject string    `json:"subject"` // e.g. a job's id
	Message string    `json:"message"`
	// Actor is who did it, for actions.
	Actor string `json:"actor,omitempty"`
	Bad   bool   `json:"bad"`
}

// Verb is what an operator can do.
type Verb string

// The verbs. All but Pause and Resume name jobs.
const (
	Retry   Verb = "retry"   // run a failed, canceled or expired job again, from its last good stage
	Cancel  Verb = "cancel"  // end an unfinished job
	Archive Verb = "archive" // take an unfinished job's task out of the queue until it is retried
	Delete  Verb = "delete"  // remove a finished job and its task
	RunNow  Verb = "run"     // do not wait for the time of a scheduled or retried task
	Repair  Verb = "repair"  // send the task of an orphan or stalled job again
	Pause   Verb = "pause"   // let no worker take from a queue
	Resume  Verb = "resume"  // the opposite
)

// Action is a verb and what it is done to.
type Action struct {
	Verb Verb
	// Jobs are whole ids; Queue is for Pause and Resume.
	Jobs  []uuid.UUID
	Queue string
}

// Outcome is what an action did to one thing.
type Outcome struct {
	Subject string `json:"subject"`
	// Changed is false where it was so already.
	Changed bool `json:"changed"`
	// Error is empty where it was done.
	Error string `json:"error,omitempty"`
}
