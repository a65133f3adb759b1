// Package audit writes one line of log for each act that matters to somebody's security or privacy.
//
//	log := audit.New(logger)                          // once, in newServer
//	log.Write(ctx, audit.Event{                       // after the act, its outcome known
//		Name: audit.Login, Outcome: audit.Done,
//		Actor: audit.User(userID), Subject: "session:" + sessionID,
//	})
//
// becomes
//
//	{"level":"INFO","msg":"audit","service":"auth","event":"login","actor":"user:0190…",
//	 "subject":"session:…","outcome":"done","address":"203.0.113.7","request_id":"…"}
//
// The request's id and address come with ctx: httpserver puts them there. The lines do not heed
// LOG_LEVEL. They name ids, never tokens, names or mail addresses: they outlive an account.
package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"
)

// Name says what was done.
type Name string

// The acts that are audited. A service adds here what it begins to do.
const (
	Login           Name = "login"
	Logout          Name = "logout"
	SessionEnded    Name = "session_ended"    // another one of the user's sessions
	RefreshReplayed Name = "refresh_replayed" // a used refresh token came late: its family ends
	AccountLinked   Name = "account_linked"
	AccountUnlinked Name = "account_unlinked"
	DeletionAsked   Name = "deletion_asked"
	AccountDeleted  Name = "account_deleted" // nothing is left
	DataExported    Name = "data_exported"
	ExportFetched   Name = "export_fetched" // a link to it was handed out
	KeysRotated     Name = "keys_rotated"
	JobRetried      Name = "job_retried" // this and those below: by operators
	JobCanceled     Name = "job_canceled"
	JobArchived     Name = "job_archived"
	JobDeleted      Name = "job_deleted"
	JobRun          Name = "job_run" // now instead of later
	JobRepaired     Name = "job_repaired"
	QueuePaused     Name = "queue_paused"
	QueueResumed    Name = "queue_resumed"
)

// Outcome says how an act ended.
type Outcome string

// The outcomes: asked for and done, refused to who asked, or failed on our side.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
	Failed  Outcome = "failed"
)

// Event is one act.
type Event struct {
	Name    Name
	Outcome Outcome
	// Actor did it: User(id), Nobody, Operator or OperatorNamed(name).
	Actor string
	// Subject is what it was done to, as kind:id, e.g. session:0190…; empty where it is the actor.
	Subject string
	// Reason says in a constant word or two why it was refused or failed, e.g. "nonce".
	Reason string
}

// Actors that are no user.
const (
	Nobody   = "nobody"   // not logged in
	Operator = "operator" // by wcctl
)

// OperatorNamed is an operator whose name is known, e.g. alice@laptop.
func OperatorNamed(name string) string { return Operator + ":" + name }

// User names a user as actor or subject.
func User(id uuid.UUID) string { return "user:" + id.String() }

type addressKey struct{}

// WithAddress returns a context whose events carry the client's address.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// Log writes events.
type Log struct {
	logger *slog.Logger
	now    func() time.Time
}

// New returns a Log that writes to logger.
func New(logger *slog.Logger) *Log { return &Log{logger: logger, now: time.Now} }

// Write writes one line.
func (l *Log) Write(ctx context.Context, e Event) {
	record := slog.NewRecord(l.now(), slog.LevelInfo, "audit", 0)
	record.AddAttrs(slog.String("event", string(e.Name)), slog.String("actor", e.Actor))
	if e.Subject != "" {
		record.AddAttrs(slog.String("subject", e.Subject))
	}
	record.AddAttrs(slog.String("outcome", string(e.Outcome)))
	if e.Reason != "" {
		record.AddAttrs(slog.String("reason", e.Reason))
	}
	if address, ok := ctx.Value(addressKey{}).(string); ok {
		record.AddAttrs(slog.String("address", address))
	}
	// Straight to the handler: whoever asks for fewer lines means the other ones.
	if err := l.logger.Handler().Handle(ctx, record); err != nil {
		l.logger.ErrorContext(ctx, "audit line lost", "error", err, "event", string(e.Name))
	}
}
