package operator

import (
	"slices"

	"github.com/gofrs/uuid/v5"
)

// Verb is what an operator can do.
type Verb string

// The verbs. All but Pause and Resume name jobs.
const (
	Retry   Verb = "retry"   // run a failed, canceled or archived job again, from its last good stage
	Cancel  Verb = "cancel"  // end an unfinished job
	Archive Verb = "archive" // take an unfinished job's task out of the queue until it is retried
	Delete  Verb = "delete"  // remove a finished job and its task
	RunNow  Verb = "run"     // do not wait for the time of a scheduled or retried task
	Repair  Verb = "repair"  // send the task of an orphan or stalled job again
	Pause   Verb = "pause"   // let no worker take from a queue
	Resume  Verb = "resume"  // the opposite
)

// OnJobs are the verbs that name jobs.
func OnJobs() []Verb { return []Verb{Retry, Cancel, Archive, Delete, RunNow, Repair} }

// Kind is the event of a verb that was carried out.
func (v Verb) Kind() string {
	return map[Verb]string{
		Retry: "job.retried", Cancel: "job.canceled", Archive: "job.archived", Delete: "job.deleted",
		RunNow: "job.run", Repair: "job.repaired", Pause: "queue.paused", Resume: "queue.resumed",
	}[v]
}

// Action is a verb and what it is done to.
type Action struct {
	Verb Verb `json:"verb"`
	// Jobs are whole ids; Queue is for Pause and Resume.
	Jobs  []uuid.UUID `json:"jobs,omitempty"`
	Queue string      `json:"queue,omitempty"`
}

// MaxJobs is how many jobs one request may name.
const MaxJobs = 500

func (a Action) valid() bool {
	if slices.Contains(OnJobs(), a.Verb) {
		return len(a.Jobs) > 0 && len(a.Jobs) <= MaxJobs && a.Queue == ""
	}
	return a.Verb.Kind() != "" && len(a.Jobs) == 0 && a.Queue != ""
}

// Outcome is what an action did to one thing.
type Outcome struct {
	Subject string `json:"subject"`
	// Changed is false where it was so already.
	Changed bool `json:"changed"`
	// Error is empty where it was done.
	Error string `json:"error,omitempty"`
}
