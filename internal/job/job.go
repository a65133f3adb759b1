// Package job is the resource that a poller reads.
package job

import (
	"encoding/json"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// Status is where a job stands.
type Status string

// The statuses. The last four are final.
const (
	AwaitingUpload Status = "awaiting_upload"
	Queued         Status = "queued"
	Processing     Status = "processing"
	Succeeded      Status = "succeeded"
	Failed         Status = "failed"
	Canceled       Status = "canceled"
	Expired        Status = "expired"
)

// Final tells whether the status never changes again.
func (s Status) Final() bool {
	return s == Succeeded || s == Failed || s == Canceled || s == Expired
}

// Stage is what is being done.
type Stage string

// The stages in order, with the progress that ends each one.
const (
	StageUpload   Stage = "upload"   // 0: waits for the photo
	StageQueue    Stage = "queue"    // 0: waits for a worker
	StageFetch    Stage = "fetch"    // until 10: photo fetched
	StageCache    Stage = "cache"    // until 20: hashed, cache looked up
	StagePrepare  Stage = "prepare"  // until 30: decoded, checked, oriented, stripped, resized
	StageVision   Stage = "vision"   // until 60: model called (40), answer validated
	StageAdvice   Stage = "advice"   // until 80: rules looked up (70), advice written
	StageLocation Stage = "location" // until 90: nearest collection points found
	StageDone     Stage = "done"     // until 100: result stored
)

// Job is what the API answers; Result is the job type's own object.
type Job struct {
	ID         uuid.UUID         `json:"id"`
	Status     Status            `json:"status"`
	Progress   int               `json:"progress"`
	Stage      Stage             `json:"stage"`
	Message    string            `json:"message"`
	Attempt    int               `json:"attempt"`
	Stalled    bool              `json:"stalled"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	FinishedAt *time.Time        `json:"finished_at"`
	ExpiresAt  time.Time         `json:"expires_at"`
	Result     json.RawMessage   `json:"result"`
	Error      *problem.Document `json:"error"`
	Links      Links             `json:"links"`
}

// Links are the job's own routes: Cancel where it can be canceled, Download where it makes a file.
type Links struct {
	Self     string `json:"self"`
	Cancel   string `json:"cancel,omitempty"`
	Download string `json:"download,omitempty"`
}

var messages = map[string]map[Stage]string{
	"ko": {
		StageUpload: "사진 업로드를 기다리고 있어요", StageQueue: "분석 순서를 기다리고 있어요",
		StageFetch: "사진을 가져오고 있어요", StageCache: "비슷한 사진이 있는지 찾고 있어요",
		StagePrepare: "사진을 다듬고 있어요", StageVision: "무엇인지 알아보고 있어요",
		StageAdvice: "배출 방법을 정리하고 있어요", StageLocation: "가까운 수거함을 찾고 있어요",
		StageDone: "분석이 끝났어요",
	},
	"en": {
		StageUpload: "Waiting for the photo", StageQueue: "Waiting for a free worker",
		StageFetch: "Fetching the photo", StageCache: "Looking for a known photo",
		StagePrepare: "Preparing the photo", StageVision: "Recognizing the waste",
		StageAdvice: "Writing the advice", StageLocation: "Finding the nearest collection points",
		StageDone: "Done",
	},
}

// Message is the sentence for people that goes with a stage, in "ko" or "en".
func Message(stage Stage, locale string) string {
	if m, ok := messages[locale]; ok {
		return m[stage]
	}
	return messages["ko"][stage]
}

// Statuses lists every status.
func Statuses() []Status {
	return []Status{AwaitingUpload, Queued, Processing, Succeeded, Failed, Canceled, Expired}
}
