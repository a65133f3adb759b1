package waste

import (
	"context"
	"fmt"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
)

// eraser knows every place where the service keeps something of a user.
//
// The image cache has no user in it, only what a photo showed under the photo's hash. Whoever has
// the photo could still find with it that it was once sent: so what came from photos that only this
// user sent goes, and what others sent, too, stays theirs.
type eraser struct {
	store    *Store
	objects  *objectstore.Store
	progress *progress.Store
	tasks    *queue.Forgetter
	cache    *imageCache
}

// place is one kind of thing outside PostgreSQL, with how to count it and how to remove it.
type place struct {
	name          string
	count, remove func(context.Context) (int64, error)
}

func (e *eraser) places(user uuid.UUID, known erased, only [][]byte) []place {
	prefix := func(name, key string) place {
		return place{
			name,
			func(ctx context.Context) (int64, error) { return e.objects.CountPrefix(ctx, key) },
			func(ctx context.Context) (int64, error) { return e.objects.DeletePrefix(ctx, key) },
		}
	}
	return []place{
		prefix("s3:uploads", uploadPrefix(user)),
		prefix("s3:photos", photoPrefix(user)),
		{
			"redis:1:job",
			func(ctx context.Context) (int64, error) { return e.progress.Count(ctx, known.jobs) },
			func(ctx context.Context) (int64, error) { return e.progress.DeleteAll(ctx, known.jobs) },
		},
		{
			"redis:1:asynq",
			func(ctx context.Context) (int64, error) { return e.tasks.Count(ctx, known.jobs) },
			func(ctx context.Context) (int64, error) { return e.tasks.Forget(ctx, known.jobs) },
		},
		{
			"redis:3:image",
			func(ctx context.Context) (int64, error) { return e.cache.countPhotos(ctx, only) },
			func(ctx context.Context) (int64, error) { return e.cache.forgetPhotos(ctx, only) },
		},
	}
}

// Erase implements erasure.Holder. The rows go first: a worker whose row is gone writes no more.
func (e *eraser) Erase(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	known, counts, err := e.store.eraseUser(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	err = e.each(ctx, r.UserID, known, counts, func(p place) (int64, error) { return p.remove(ctx) })
	if err == nil && r.Last {
		err = e.store.forgetErasure(ctx, r.UserID)
	}
	return erasure.Report{Counts: counts, Jobs: known.jobs}, err
}

// Left implements erasure.Holder.
func (e *eraser) Left(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	known, counts, err := e.store.leftOfUser(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	err = e.each(ctx, r.UserID, known, counts, func(p place) (int64, error) { return p.count(ctx) })
	return erasure.Report{Counts: counts, Jobs: known.jobs}, err
}

// each adds what do says of each place to the counts.
func (e *eraser) each(
	ctx context.Context, user uuid.UUID, known erased, counts erasure.Counts,
	do func(place) (int64, error),
) error {
	only, err := e.store.onlyTheirs(ctx, user, known.photos)
	if err != nil {
		return err
	}
	for _, p := range e.places(user, known, only) {
		if counts[p.name], err = do(p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
