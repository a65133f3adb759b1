package waste

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// errAnswered says that the cache had the whole answer: nothing is left to do.
var errAnswered = errors.New("answered by the cache")

// analyze carries the job from its photo to the hand-over. What an earlier attempt finished is
// not done again.
func (r *run) analyze(ctx context.Context) error {
	upload, err := r.store.Upload(ctx, r.a.UserID, r.a.UploadID)
	if err != nil {
		return err
	}
	jpeg, err := r.preparedPhoto(ctx, upload)
	if errors.Is(err, errAnswered) {
		return nil
	}
	if err != nil {
		return err
	}
	verdict := r.a.Verdict
	if verdict == nil {
		verdict = r.known
	}
	if verdict == nil {
		if verdict, err = r.recognize(ctx, jpeg); err != nil {
			return err
		}
	}
	return r.handOver(ctx, *verdict, verdict == r.known)
}

func (r *run) handOver(ctx context.Context, v vision.Verdict, cached bool) error {
	a, err := r.keep(ctx, v, cached)
	if err != nil {
		return err
	}
	r.a = a
	r.show(ctx)
	if err := r.outbox.send(ctx, &r.a); err != nil {
		r.logger.WarnContext(ctx, "enqueue left to the reconciler", "error", err)
	}
	return nil
}

// Bounds of the tries to store a verdict.
const (
	keepPause   = 250 * time.Millisecond
	keepTimeout = 20 * time.Second
)

// keep stores the verdict. It is paid for: an outage of PostgreSQL is waited out with it in hand.
func (r *run) keep(ctx context.Context, v vision.Verdict, cached bool) (Analysis, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	r.committing.Store(true)
	for {
		a, err := r.store.handOver(ctx, &r.a, v, cached, adviceCheck)
		if !outage.Is(err) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return Analysis{}, err
		case <-time.After(keepPause):
		}
	}
}

// preparedPhoto returns the photo as the model sees it: from the store where an earlier attempt
// left it, else from the upload.
func (r *run) preparedPhoto(ctx context.Context, u Upload) ([]byte, error) {
	if r.a.PhotoKey != nil {
		jpeg, err := r.objects.Get(ctx, *r.a.PhotoKey, r.limits.MaxBytes)
		if !errors.Is(err, objectstore.ErrNotFound) {
			return jpeg, err
		}
	}
	original, err := r.fetch(ctx, u)
	if err != nil {
		return nil, err
	}
	if known, ok := r.cache.exact(ctx, u.SHA256); ok {
		if err := r.answer(ctx, known); err != nil {
			return nil, err
		}
	}
	if err := r.advance(ctx, step{Progress: 20, Stage: job.StagePrepare}); err != nil {
		return nil, err
	}
	return r.prepare(ctx, original)
}

func (r *run) fetch(ctx context.Context, u Upload) ([]byte, error) {
	original, err := r.objects.Get(ctx, u.ObjectKey, u.Size)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil, ErrUploadExpired
	}
	if errors.Is(err, objectstore.ErrTooLarge) {
		return nil, errChecksum.Because(err)
	}
	if err != nil {
		return nil, err
	}
	// The store has checked it at the upload; a store that does not must not get past us.
	if sum := sha256.Sum256(original); !bytes.Equal(sum[:], u.SHA256) {
		return nil, errChecksum
	}
	return original, r.advance(ctx, step{Progress: 10, Stage: job.StageCache})
}

// prepare makes the photo safe, stores it without its metadata and asks for one like it.
func (r *run) prepare(ctx context.Context, original []byte) ([]byte, error) {
	kept, err := keepPhoto(ctx, r.normalizer, r.objects, photoKey(r.a.UserID, r.a.ID), original)
	if err != nil {
		return nil, photoProblem(err)
	}
	err = r.advance(ctx, step{
		Progress: 30, Stage: job.StageVision, PhotoKey: &kept.Key, Fingerprint: &kept.Mark,
	})
	if err != nil {
		return nil, err
	}
	if known, ok := r.cache.similar(ctx, kept.Fingerprint); ok {
		if err := r.store.answeredAs(ctx, &r.a, known.Sum); err != nil {
			return nil, err
		}
		if err := r.answer(ctx, known); err != nil {
			return nil, err
		}
	}
	return kept.JPEG, nil
}

// answer ends the job with what is known of the photo, or keeps the verdict when only the
// advice in the user's language is missing.
func (r *run) answer(ctx context.Context, known knownImage) error {
	advice, ok := known.Advice[r.a.Locale]
	if !ok {
		r.known = &known.Verdict
		return nil
	}
	advice.Cached = true
	if err := r.finish(ctx, known.Verdict, advice, true); err != nil {
		return err
	}
	return errAnswered
}

func (r *run) recognize(ctx context.Context, jpeg []byte) (*vision.Verdict, error) {
	if err := r.advance(ctx, step{Progress: 40, Stage: job.StageVision}); err != nil {
		return nil, err
	}
	verdict, err := r.vision.Analyze(ctx, vision.Request{
		JPEG: jpeg, Locale: r.a.Locale, JobID: r.a.ID.String(), Attempt: r.a.Attempt,
	})
	if err != nil {
		return nil, err
	}
	r.metrics.recognized(&verdict)
	return &verdict, nil
}

// complete finds the collection points and stores the answer.
func (r *run) complete(ctx context.Context) error {
	if r.a.Verdict == nil || r.a.Advice == nil {
		return errIncomplete
	}
	if err := r.finish(ctx, *r.a.Verdict, *r.a.Advice, r.a.VerdictCached); err != nil {
		return err
	}
	if r.a.Verdict.Unsure {
		return nil // the next look may be another model's, or at a better photo
	}
	upload, err := r.store.Upload(ctx, r.a.UserID, r.a.UploadID)
	if err != nil || r.a.Fingerprint == nil {
		return err
	}
	r.cache.remember(ctx, upload.SHA256, *r.a.Fingerprint, r.a.Locale,
		*r.a.Verdict, *r.a.Advice)
	return nil
}

func (r *run) finish(
	ctx context.Context, v vision.Verdict, advice pipeline.Advice, cached bool,
) error {
	points, warnings := r.places.near(ctx, &r.a, advice.Class)
	if err := r.advance(ctx, step{Progress: 90, Stage: job.StageLocation}); err != nil {
		return err
	}
	r.committing.Store(true)
	a, err := r.store.succeed(ctx, &r.a, pipeline.Result{
		Vision: v, Advice: advice, CollectionPoints: points, Cached: cached,
		Photo: selfLink(r.a.ID) + "/photo", Warnings: warnings,
	})
	if err != nil {
		return err
	}
	r.a = a
	r.metrics.finished(&a, cached)
	r.show(ctx)
	return nil
}
