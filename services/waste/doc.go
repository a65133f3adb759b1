// Package waste takes photos of waste and carries each one to its answer.
//
// It owns the schema waste (uploads, analyses, feedback), the routes below /api/v1/waste, the
// tasks waste:analyze and waste:complete, and the image cache in Redis.
//
// The row in waste.analyses is the truth about a job. It is also the job's outbox entry and its
// lease: check_at says when the reconciler must look at it if nobody has moved it on by then.
package waste
