// Package progress keeps what a poller sees of a job in Redis.
package progress

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/redis/go-redis/v9"
)

// TTL is how long a snapshot outlives its last change; PostgreSQL answers after that.
const TTL = time.Hour

// Snapshot is a job as its owner sees it.
type Snapshot struct {
	Owner uuid.UUID
	// Version grows with each change and orders the writes of competing workers.
	Version int64
	// Finished tells that there will be no further version.
	Finished           bool
	CreatedAt, Changed time.Time
	// Checked is when somebody last saw that PostgreSQL had nothing newer.
	Checked time.Time
	// Body is the job as JSON.
	Body []byte
}

// putNewer writes the hash only when it has no version or an older one.
var putNewer = redis.NewScript(`
local known = redis.call('HGET', KEYS[1], 'version')
if known and tonumber(known) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'owner', ARGV[2], 'finished', ARGV[3],
  'created', ARGV[4], 'changed', ARGV[5], 'checked', ARGV[5], 'body', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return 1`)

// Store reads and writes snapshots in the jobs database.
type Store struct{ jobs *redis.Client }

// NewStore returns a Store on the jobs database.
func NewStore(jobs *redis.Client) *Store { return &Store{jobs: jobs} }

// Put writes a snapshot unless a newer one is there.
func (s *Store) Put(ctx context.Context, job uuid.UUID, snap Snapshot) error {
	err := putNewer.Run(ctx, s.jobs, []string{key(job)},
		snap.Version, snap.Owner.String(), snap.Finished,
		snap.CreatedAt.UnixMilli(), snap.Changed.UnixMilli(), snap.Body,
		TTL.Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("writing the progress of job %s: %w", job, err)
	}
	return nil
}

// Get returns a job's snapshot, and false when Redis has none.
func (s *Store) Get(ctx context.Context, job uuid.UUID) (Snapshot, bool, error) {
	values, err := s.jobs.HMGet(ctx, key(job), fields...).Result()
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("reading the progress of job %s: %w", job, err)
	}
	return snapshotOf(job, values)
}

// GetAll returns the snapshots that Redis has of the jobs, in one round trip.
func (s *Store) GetAll(ctx context.Context, jobs []uuid.UUID) (map[uuid.UUID]Snapshot, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	replies := make([]*redis.SliceCmd, len(jobs))
	_, err := s.jobs.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range jobs {
			replies[i] = p.HMGet(ctx, key(id), fields...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the progress of %d jobs: %w", len(jobs), err)
	}
	all := map[uuid.UUID]Snapshot{}
	for i, id := range jobs {
		snap, ok, err := snapshotOf(id, replies[i].Val())
		if err != nil {
			return nil, err
		}
		if ok {
			all[id] = snap
		}
	}
	return all, nil
}

// fields are those of the hash, in the order of snapshotOf.
var fields = []string{"version", "owner", "finished", "created", "changed", "checked", "body"}

func snapshotOf(job uuid.UUID, values []any) (Snapshot, bool, error) {
	texts := make([]string, len(fields))
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			return Snapshot{}, false, nil
		}
		texts[i] = text
	}
	owner, err := uuid.FromString(texts[1])
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("reading the owner of job %s: %w", job, err)
	}
	return Snapshot{
		Owner: owner, Version: number(texts[0]), Finished: texts[2] == "1",
		CreatedAt: time.UnixMilli(number(texts[3])).UTC(),
		Changed:   time.UnixMilli(number(texts[4])).UTC(),
		Checked:   time.UnixMilli(number(texts[5])).UTC(),
		Body:      []byte(texts[6]),
	}, true, nil
}

// touch notes the look at a job that is still there.
var touch = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'checked', ARGV[1]) end
return 0`)

// Touch notes that PostgreSQL has nothing newer.
func (s *Store) Touch(ctx context.Context, job uuid.UUID, now time.Time) error {
	if err := touch.Run(ctx, s.jobs, []string{key(job)}, now.UnixMilli()).Err(); err != nil {
		return fmt.Errorf("noting the look at job %s: %w", job, err)
	}
	return nil
}

// Delete forgets a job.
func (s *Store) Delete(ctx context.Context, job uuid.UUID) error {
	return s.jobs.Del(ctx, key(job)).Err()
}

// keysPerCall bounds what one command names.
const keysPerCall = 1000

// DeleteAll forgets jobs and tells how many there were.
func (s *Store) DeleteAll(ctx context.Context, jobs []uuid.UUID) (int64, error) {
	return each(jobs, func(keys []string) (int64, error) { return s.jobs.Del(ctx, keys...).Result() })
}

// Count tells how many of the jobs are there.
func (s *Store) Count(ctx context.Context, jobs []uuid.UUID) (int64, error) {
	return each(jobs, func(keys []string) (int64, error) { return s.jobs.Exists(ctx, keys...).Result() })
}

func each(jobs []uuid.UUID, do func(keys []string) (int64, error)) (int64, error) {
	var sum int64
	for part := range slices.Chunk(jobs, keysPerCall) {
		keys := make([]string, len(part))
		for i, id := range part {
			keys[i] = key(id)
		}
		n, err := do(keys)
		if err != nil {
			return sum, fmt.Errorf("looking at the progress of %d jobs: %w", len(part), err)
		}
		sum += n
	}
	return sum, nil
}

func key(job uuid.UUID) string { return "job:" + job.String() }

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // putNewer wrote it
	return n
}
