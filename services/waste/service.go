package waste

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/progress"
)

// Service is what the API can do with photos and jobs.
type Service struct {
	store    *Store
	objects  *objectstore.Store
	progress *progress.Store
	outbox   *outbox
	cache    *imageCache
	places   *places
	metrics  *metrics
	limits   photo.Limits
	jobs     JobsConfig
	logger   *slog.Logger
	now      func() time.Time
}

// AnnounceUpload checks an announced photo and signs the one request that may send it.
func (s *Service) AnnounceUpload(
	ctx context.Context, user uuid.UUID, r UploadRequest,
) (UploadTicket, error) {
	sum, err := r.validate(s.limits)
	if err != nil {
		return UploadTicket{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return UploadTicket{}, fmt.Errorf("making an upload id: %w", err)
	}
	now := s.clock()
	u := Upload{
		ID: id, UserID: user, SHA256: sum, Size: r.Size, ContentType: r.ContentType,
		ObjectKey: objectKey(user, id), CreatedAt: now, ExpiresAt: now.Add(s.jobs.UploadValid),
		EndsAt: now.Add(s.jobs.UploadValid + s.jobs.UploadGrace),
	}
	signed, err := s.objects.PresignPut(ctx, objectstore.Upload{
		Key: u.ObjectKey, Size: u.Size, ContentType: u.ContentType, SHA256: u.SHA256,
	}, s.jobs.UploadValid)
	if err != nil {
		return UploadTicket{}, err
	}
	if err := s.store.AddUpload(ctx, u); err != nil {
		return UploadTicket{}, err
	}
	return UploadTicket{
		UploadID: id, Method: signed.Method, URL: signed.URL, Headers: signed.Headers,
		ExpiresAt: u.ExpiresAt,
	}, nil
}

// AnalysisRequest asks for the analysis of an uploaded, or still uploading, photo.
type AnalysisRequest struct {
	UploadID uuid.UUID `json:"upload_id"`
	Location *Location `json:"location"`
	Locale   string    `json:"locale"`
}

func (r *AnalysisRequest) validate() error {
	var faults []problem.Field
	add := func(pointer, code, detail string) {
		faults = append(faults, problem.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if r.UploadID.IsNil() {
		add("/upload_id", "required", "is needed")
	}
	if r.Locale == "" {
		r.Locale = "ko"
	}
	if r.Locale != "ko" && r.Locale != "en" {
		add("/locale", "unknown", `must be "ko" or "en"`)
	}
	if l := r.Location; l != nil {
		if l.Lat < -90 || l.Lat > 90 {
			add("/location/lat", "out_of_range", "must be from -90 to 90")
		}
		if l.Lng < -180 || l.Lng > 180 {
			add("/location/lng", "out_of_range", "must be from -180 to 180")
		}
	}
	return invalid(faults)
}

func (r *AnalysisRequest) hash() ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("hashing the request: %w", err)
	}
	sum := sha256.Sum256(body)
	return sum[:], nil
}

// Origin is who asks and how the request is told from others.
type Origin struct {
	UserID         uuid.UUID
	IdempotencyKey string
	RequestID      string
}

// CreateAnalysis makes a job, or returns the one that the same request made before (replayed).
func (s *Service) CreateAnalysis(
	ctx context.Context, from Origin, r AnalysisRequest,
) (a Analysis, replayed bool, err error) {
	if err := r.validate(); err != nil {
		return Analysis{}, false, err
	}
	hash, err := r.hash()
	if err != nil {
		return Analysis{}, false, err
	}
	a, err = s.store.ByKey(ctx, from.UserID, from.IdempotencyKey)
	if err == nil {
		return s.replay(a, hash)
	}
	if !errors.Is(err, ErrAnalysisNotFound) {
		return Analysis{}, false, err
	}
	a, err = s.newAnalysis(ctx, from, r, hash)
	if err != nil {
		return Analysis{}, false, err
	}
	err = s.store.AddAnalysis(ctx, &a)
	if errors.Is(err, errKeyTaken) || errors.Is(err, ErrUploadUsed) {
		// The same request may have come in twice at once: the other one made the row.
		known, keyErr := s.store.ByKey(ctx, from.UserID, from.IdempotencyKey)
		if keyErr != nil {
			return Analysis{}, false, errors.Join(err, keyErr)
		}
		return s.replay(known, hash)
	}
	if err != nil {
		return Analysis{}, false, err
	}
	s.announce(ctx, &a)
	return a, false, nil
}

func (s *Service) replay(a Analysis, hash []byte) (Analysis, bool, error) {
	if !bytes.Equal(a.RequestHash, hash) {
		return Analysis{}, false, ErrKeyReused
	}
	return a, true, nil
}

// newAnalysis decides how the job starts: waiting for its photo, queued, or answered already.
func (s *Service) newAnalysis(
	ctx context.Context, from Origin, r AnalysisRequest, hash []byte,
) (Analysis, error) {
	upload, err := s.store.Upload(ctx, from.UserID, r.UploadID)
	if err != nil {
		return Analysis{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Analysis{}, fmt.Errorf("making an analysis id: %w", err)
	}
	now := s.clock()
	a := Analysis{
		ID: id, UserID: from.UserID, UploadID: upload.ID, IdempotencyKey: from.IdempotencyKey,
		RequestHash: hash, RequestID: from.RequestID, Locale: r.Locale,
		Status: job.Queued, Stage: job.StageQueue, NextTask: pipeline.Analyze, Version: 1,
		CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(s.jobs.Retention),
	}
	if r.Location != nil {
		a.Lat, a.Lng = &r.Location.Lat, &r.Location.Lng
	}
	arrived, err := uploadArrived(ctx, s.objects, upload)
	switch {
	case err != nil:
		return Analysis{}, err
	case !arrived && now.After(upload.ExpiresAt):
		return Analysis{}, ErrUploadExpired
	case !arrived:
		a.Status, a.Stage = job.AwaitingUpload, job.StageUpload
		a.CheckAt = after(now, uploadCheck)
	case s.answerFromCache(ctx, &a, upload):
	default:
		a.CheckAt = after(now, pickupCheck)
	}
	return a, nil
}

// clock is the time to the microsecond, which is what PostgreSQL keeps.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

func after(t time.Time, d time.Duration) *time.Time {
	t = t.Add(d)
	return &t
}

func uploadArrived(ctx context.Context, objects *objectstore.Store, u Upload) (bool, error) {
	_, err := objects.Head(ctx, u.ObjectKey)
	if errors.Is(err, objectstore.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, problem.New(problem.Unavailable, "photo_store_unavailable",
			"The photo store cannot be reached.").After(time.Second).Because(err)
	}
	return true, nil
}

// answerFromCache completes a job whose photo is known to the byte: S3 has checked the checksum.
func (s *Service) answerFromCache(ctx context.Context, a *Analysis, u Upload) bool {
	known, ok := s.cache.exact(ctx, u.SHA256)
	advice, advised := known.Advice[a.Locale]
	if !ok || !advised {
		return false
	}
	advice.Cached = true
	result := pipeline.Result{
		Vision: known.Verdict, Advice: advice, Cached: true, Photo: selfLink(a.ID) + "/photo",
		Warnings: []string{},
	}
	result.CollectionPoints, result.Warnings = s.places.near(ctx, a, advice.Class)
	body, err := json.Marshal(result)
	if err != nil {
		s.logger.ErrorContext(ctx, "cached answer unusable", "error", err)
		return false
	}
	now := s.clock()
	a.Status, a.Progress, a.Stage = job.Succeeded, 100, job.StageDone
	a.Verdict, a.Advice, a.Result = &result.Vision, &result.Advice, body
	a.StartedAt, a.FinishedAt = &now, &now
	s.metrics.finished(a, true)
	return true
}

// announce tells Redis of a new job. Failing is no loss: the reconciler finds the row.
func (s *Service) announce(ctx context.Context, a *Analysis) {
	publish(ctx, s.progress, s.logger, a)
	if a.Status != job.Queued {
		return
	}
	if err := s.outbox.send(ctx, a); err != nil {
		s.logger.WarnContext(ctx, "enqueue left to the reconciler", "error", err)
	}
}

// Cancel ends a job. Canceling a canceled one changes nothing.
func (s *Service) Cancel(ctx context.Context, user, id uuid.UUID) (Analysis, error) {
	a, err := s.store.Cancel(ctx, user, id)
	if err == nil {
		s.metrics.finished(&a, false)
		publish(ctx, s.progress, s.logger, &a)
		return a, nil
	}
	if !errors.Is(err, ErrAnalysisNotFound) {
		return Analysis{}, err
	}
	a, err = s.store.Analysis(ctx, user, id)
	switch {
	case err != nil:
		return Analysis{}, err
	case a.Status == job.Canceled:
		return a, nil
	case a.Status == job.Expired:
		return Analysis{}, ErrAnalysisExpired
	default:
		return Analysis{}, ErrAnalysisFinished
	}
}

// GiveFeedback keeps the user's word and forgets the cached answer that it contradicts.
func (s *Service) GiveFeedback(ctx context.Context, user, id uuid.UUID, f Feedback) error {
	if err := f.Validate(); err != nil {
		return err
	}
	a, err := s.store.Analysis(ctx, user, id)
	switch {
	case err != nil:
		return err
	case a.Status == job.Expired:
		return ErrAnalysisExpired
	case a.Status != job.Succeeded:
		return ErrNotSucceeded
	}
	if err := s.store.SetFeedback(ctx, user, id, f); err != nil {
		return err
	}
	if a.Verdict != nil {
		right := a.Verdict.Class == f.Class
		s.metrics.judged(a.Verdict, right)
		if right {
			return nil
		}
	}
	upload, err := s.store.Upload(ctx, user, a.UploadID)
	if err != nil {
		return err
	}
	s.cache.forget(ctx, upload.SHA256, a.Fingerprint)
	return nil
}

// photoLinkValid is how long a photo's link works.
const photoLinkValid = 5 * time.Minute

// PhotoURL returns a short-lived link to the photo without its metadata.
func (s *Service) PhotoURL(ctx context.Context, user, id uuid.UUID) (string, error) {
	a, err := s.store.Analysis(ctx, user, id)
	if err != nil {
		return "", err
	}
	if a.Status == job.Expired {
		return "", ErrAnalysisExpired
	}
	if a.PhotoKey == nil {
		return "", ErrPhotoNotFound
	}
	return s.objects.PresignGet(ctx, *a.PhotoKey, photoLinkValid)
}

// publishTimeout bounds a write that is made also for a client that has left.
const publishTimeout = 2 * time.Second

// publish shows a job's newest state to pollers. Failing is no loss: they look at PostgreSQL, too,
// when what Redis shows has not moved for a while.
func publish(ctx context.Context, store *progress.Store, logger *slog.Logger, a *Analysis) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	body, err := json.Marshal(a.Job())
	if err == nil {
		err = store.Put(ctx, a.ID, progress.Snapshot{
			Owner: a.UserID, Version: a.Version, Finished: a.Status.Final(),
			CreatedAt: a.CreatedAt, Changed: a.UpdatedAt, Body: body,
		})
	}
	if err != nil {
		logger.WarnContext(ctx, "progress not shown", "error", err)
	}
}
