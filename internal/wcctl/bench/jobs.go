// Package bench measures a running Waste Coach.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
)

const (
	photoWidth, photoHeight, block = 320, 240, 16
	startsAtOnce                   = 8
	lookEvery                      = 250 * time.Millisecond
	// refills bounds how many jobs one run starts, as a multiple of those kept running.
	refills = 10
)

// Jobs keeps a number of analyses running by replacing those that end.
type Jobs struct {
	client *client.Client
	mu     sync.Mutex
	ids    []string
	// started counts all jobs of this run.
	started int
}

// StartJobs starts n analyses of photos that no cache knows.
func StartJobs(ctx context.Context, c *client.Client, n int) (*Jobs, error) {
	j := &Jobs{client: c, ids: make([]string, n), started: n}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsAtOnce)
	for i := range n {
		group.Go(func() error { return j.start(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("starting %d jobs: %w", n, err)
	}
	return j, nil
}

func (j *Jobs) start(ctx context.Context, i int) error {
	s, err := startOne(ctx, j.client)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ids[i] = s.Job.ID.String()
	return nil
}

// IDs are the jobs that run now, or ended a moment ago.
func (j *Jobs) IDs() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.ids...)
}

// Started is how many jobs were started so far.
func (j *Jobs) Started() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.started
}

// Keep replaces jobs that end until ctx does.
func (j *Jobs) Keep(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := j.replaceAll(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("keeping jobs running: %w", err)
		}
	}
}

func (j *Jobs) replaceAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(startsAtOnce)
	for i, id := range j.IDs() {
		group.Go(func() error { return j.replace(ctx, i, id) })
	}
	return group.Wait()
}

func (j *Jobs) replace(ctx context.Context, i int, id string) error {
	s, err := j.client.Analysis(ctx, id, "")
	if err != nil || !s.Job.Status.Final() {
		return err
	}
	j.mu.Lock()
	more := j.started < refills*len(j.ids)
	if more {
		j.started++
	}
	j.mu.Unlock()
	if !more {
		return nil
	}
	return j.start(ctx, i)
}

// Running counts the jobs that have not ended.
func (j *Jobs) Running(ctx context.Context) (int, error) {
	running := 0
	for _, id := range j.IDs() {
		s, err := j.client.Analysis(ctx, id, "")
		if err != nil {
			return 0, fmt.Errorf("counting the running jobs: %w", err)
		}
		if !s.Job.Status.Final() {
			running++
		}
	}
	return running, nil
}

// Cancel stops what still runs.
func (j *Jobs) Cancel(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(startsAtOnce)
	for _, id := range j.IDs() {
		group.Go(func() error {
			_, err := j.client.CancelAnalysis(ctx, id)
			return err
		})
	}
	_ = group.Wait() // one that has ended meanwhile cannot be canceled
}

func startOne(ctx context.Context, c *client.Client) (client.Snapshot, error) {
	photo, err := newPhoto()
	if err != nil {
		return client.Snapshot{}, err
	}
	upload, err := c.UploadPhoto(ctx, photo, "image/jpeg")
	if err != nil {
		return client.Snapshot{}, fmt.Errorf("uploading: %w", err)
	}
	return c.CreateAnalysis(ctx, client.AnalysisRequest{
		UploadID: upload, IdempotencyKey: uuid.Must(uuid.NewV7()).String(),
	})
}

// One analyzes a photo until ctx ends and tells how it went; another end than success is an error.
func One(ctx context.Context, c *client.Client) (job.Job, error) {
	s, err := startOne(ctx, c)
	if err != nil {
		return job.Job{}, err
	}
	found := s.Job
	for !found.Status.Final() {
		if sleep(ctx, s.PollAfter); ctx.Err() != nil {
			return found, fmt.Errorf("job %s was %s: %w", found.ID, found.Status, context.Cause(ctx))
		}
		if s, err = c.Analysis(ctx, found.ID.String(), ""); err != nil {
			return found, err
		}
		found = s.Job
	}
	if found.Status != job.Succeeded {
		return found, fmt.Errorf("job %s ended as %s", found.ID, found.Status)
	}
	return found, nil
}

// newPhoto is a JPEG of random blocks: its exact and its perceptual hash are new.
func newPhoto() ([]byte, error) {
	picture := image.NewRGBA(image.Rect(0, 0, photoWidth, photoHeight))
	for top := 0; top < photoHeight; top += block {
		for left := 0; left < photoWidth; left += block {
			bits := rand.Uint32() //nolint:gosec // colors need no secrecy
			fill(picture, left, top, color.RGBA{
				uint8(bits), uint8(bits >> 8), uint8(bits >> 16), 0xff, //nolint:gosec // low bits
			})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		return nil, fmt.Errorf("encoding a photo: %w", err)
	}
	return out.Bytes(), nil
}

func fill(picture *image.RGBA, left, top int, c color.RGBA) {
	for y := top; y < top+block; y++ {
		for x := left; x < left+block; x++ {
			picture.SetRGBA(x, y, c)
		}
	}
}
