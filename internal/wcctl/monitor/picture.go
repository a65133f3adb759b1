// Package monitor reads how the running system is, and acts on its jobs and queues.
package monitor

import (
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/operator"
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
	Source   string        `json:"source"`
	Jobs     JobPage       `json:"jobs"`
	Queues   []Queue       `json:"queues"`
	Workers  []Worker      `json:"workers"`
	Services []Service     `json:"services"`
	Cluster  *ClusterState `json:"cluster"` // null: the system runs on no cluster
	// Events are what happened of late, the newest first.
	Events []Event        `json:"events"`
	Faults map[Part]Fault `json:"faults,omitempty"`
}

// Fault tells why a part is old.
type Fault struct {
	// Message is for people, e.g. "Redis at 127.0.0.1:6379 does not answer".
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// ReadAt is when the part was read last; zero if never.
	ReadAt time.Time `json:"read_at"`
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
	// CertificatesExpire is the first end of a certificate; BackupAt the last backup of the control plane,
	// DatabaseBackupAt PostgreSQL's, null for none.
	CertificatesExpire *time.Time `json:"certificates_expire,omitempty"`
	BackupAt           *time.Time `json:"backup_at,omitempty"`
	DatabaseBackupAt   *time.Time `json:"database_backup_at,omitempty"`
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

// JobQuery is what the service that has the jobs is asked; what follows is what it tells and does.
type JobQuery = operator.Query

// JobPage is the newest jobs that a query chose, and the counts of all.
type JobPage = operator.Page

// Outcome24h sums up what ended in the last 24 hours.
type Outcome24h = operator.Outcome24h

// Job is one analysis as an operator sees it.
type Job = operator.Job

// JobError is why a job, or one try of a stage, failed.
type JobError = operator.JobError

// JobDetail is all that is known of one job.
type JobDetail = operator.JobDetail

// Step is one stage of one attempt.
type Step = operator.Step

// Photo is what is known of the photo, without the photo.
type Photo = operator.Photo

// Event is something that happened.
type Event = operator.Event

// Verb is what an operator can do.
type Verb = operator.Verb

// Action is a verb and what it is done to.
type Action = operator.Action

// Outcome is what an action did to one thing.
type Outcome = operator.Outcome

// The verbs. All but Pause and Resume name jobs.
const (
	Retry   = operator.Retry
	Cancel  = operator.Cancel
	Archive = operator.Archive
	Delete  = operator.Delete
	RunNow  = operator.RunNow
	Repair  = operator.Repair
	Pause   = operator.Pause
	Resume  = operator.Resume
)
