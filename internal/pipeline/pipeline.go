// Package pipeline holds the tasks that carry one analysis from the photo to the answer.
package pipeline

import (
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/vision"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// The tasks in their order. Analyze and Complete run on the waste queue, Advise on recycling.
const (
	Analyze  = "waste:analyze"
	Advise   = "recycling:advise"
	Complete = "waste:complete"
)

// JobRef is the payload of Analyze: which job, and which dispatch of it this task is.
type JobRef struct {
	JobID    uuid.UUID `json:"job_id"`
	Dispatch int       `json:"dispatch"`
}

// Found is what the recycling worker needs of the vision model's verdict.
type Found struct {
	Class wasteclass.Class `json:"class"`
	Label string           `json:"label"`
	Parts []Part           `json:"parts"`
}

// Part is a component of mixed waste.
type Part struct {
	Name  string           `json:"name"`
	Class wasteclass.Class `json:"class"`
}

// AdviseRequest is the payload of Advise. Version is the job's version when it was handed over:
// PostgreSQL counts versions in steps of 10, so that the recycling worker can show two
// more states (progress 70 and 80) without a write to the waste schema.
type AdviseRequest struct {
	JobRef
	Version   int64  `json:"version"`
	RequestID string `json:"request_id"`
	Locale    string `json:"locale"`
	Found     Found  `json:"found"`
}

// CompleteRequest is the payload of Complete. Advice is nil where the row has it already.
type CompleteRequest struct {
	JobRef
	Advice *Advice `json:"advice,omitempty"`
}

// Advice says how and why to dispose of an item.
type Advice struct {
	ItemID   string           `json:"item_id"`
	ItemName string           `json:"item_name"`
	Class    wasteclass.Class `json:"class"`
	Summary  string           `json:"summary"`
	Why      string           `json:"why"`
	Steps    []Step           `json:"steps"`
	Mistakes []string         `json:"mistakes"`
	// Where is where the item goes, e.g. "clear PET collection bin".
	Where string `json:"where"`
	// Source cites the rule.
	Source string `json:"source"`
	// Model is the LLM's name, or "rule" where the text is the rule's own.
	Model string `json:"model"`
	// Cached tells that no model was called for this answer.
	Cached bool `json:"cached"`
}

// Step is one thing to do; ID is the rule's.
type Step struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Point is a collection point near the user.
type Point struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	Address   string             `json:"address"`
	Lat       float64            `json:"lat"`
	Lng       float64            `json:"lng"`
	DistanceM int                `json:"distance_m"`
	Accepts   []wasteclass.Class `json:"accepts"`
}

// Result is the answer to a photo.
type Result struct {
	Vision           vision.Verdict `json:"vision"`
	Advice           Advice         `json:"advice"`
	CollectionPoints []Point        `json:"collection_points"`
	// Cached tells that no vision model was called.
	Cached bool `json:"cached"`
	// Photo is the route of the photo without its metadata.
	Photo string `json:"photo"`
	// Warnings names parts that could not be had, e.g. "collection_points_unavailable".
	Warnings []string `json:"warnings"`
}
