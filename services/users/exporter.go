package users

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/objectstore"
)

const (
	exportLease   = time.Minute
	exportTries   = 5
	exportTimeout = 30 * time.Minute
	expireBatch   = 20
	// maxExportedPhoto is far above what the waste service keeps.
	maxExportedPhoto = 32 << 20
)

// exporter makes the exports that wait and removes those that have outlived their time. One leader
// runs it; writes are fenced by attempt.
type exporter struct {
	store       *Store
	objects     *objectstore.Store
	auth, waste *erasure.Client
	cfg         ExportConfig
	audit       *audit.Log
	logger      *slog.Logger
}

// run works until ctx ends.
func (x *exporter) run(ctx context.Context) error {
	return every(ctx, x.cfg.Interval, x.logger, "making exports", x.round)
}

func (x *exporter) round(ctx context.Context) error {
	for {
		e, err := x.store.claimExport(ctx, exportLease)
		if isMissing(err) {
			return x.expire(ctx)
		}
		if err != nil {
			return err
		}
		if err := x.work(ctx, &e); err != nil {
			return err
		}
	}
}

func (x *exporter) work(ctx context.Context, e *Export) error {
	err := x.make(ctx, e)
	switch {
	case err == nil:
		x.audit.Write(ctx, audit.Event{
			Name: audit.DataExported, Outcome: audit.Done, Actor: audit.User(e.UserID),
			Subject: "export:" + e.ID.String(),
		})
		return nil
	case errors.Is(err, errSuperseded):
		// Erased, or another leader's: what was stored under this id is nobody's.
		return x.objects.Delete(ctx, e.key())
	case ctx.Err() != nil:
		return ctx.Err() // the next leader begins anew when the lease is over
	}
	x.logger.WarnContext(ctx, "export broke off", "export_id", e.ID, "attempt", e.Attempt, "error", err)
	broke := x.store.exportBroke(ctx, e, firstPutOff<<min(e.Attempt, 6), e.Attempt >= exportTries)
	if errors.Is(broke, errSuperseded) {
		return nil
	}
	return broke
}

// make streams the zip into S3: neither memory nor a disk has to hold it.
func (x *exporter) make(ctx context.Context, e *Export) error {
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	// What an earlier export, or attempt, has left.
	if _, err := x.objects.DeletePrefix(ctx, exportPrefix(e.UserID)); err != nil {
		return err
	}
	out, in := io.Pipe()
	w := &archive{exporter: x, export: e, sink: &counter{w: in}}
	wrote := make(chan error, 1)
	go func() {
		err := w.write(ctx)
		in.CloseWithError(err)
		wrote <- err
	}()
	err := x.objects.PutStream(ctx, e.key(), "application/zip", out)
	out.CloseWithError(err) // a writer that nobody reads from any more ends
	if err := errors.Join(<-wrote, err); err != nil {
		return err
	}
	return x.store.exportDone(ctx, e, w.sink.n, w.photos, x.cfg.Keep)
}

func (x *exporter) expire(ctx context.Context) error {
	list, err := x.store.outlivedExports(ctx, expireBatch)
	if err != nil {
		return err
	}
	for i := range list {
		if err := x.objects.Delete(ctx, list[i].key()); err != nil {
			return err
		}
		if err := x.store.exportExpired(ctx, list[i].ID); err != nil {
			return err
		}
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// archive is one zip under way: auth.json, users.json, waste.json, and photos/<analysis>.jpg.
type archive struct {
	*exporter
	export *Export
	sink   *counter
	zip    *zip.Writer
	photos int
}

func (a *archive) write(ctx context.Context) error {
	a.zip = zip.NewWriter(a.sink)
	if err := a.profile(ctx); err != nil {
		return err
	}
	if err := a.copy(ctx, "auth.json", a.auth); err != nil {
		return err
	}
	if err := a.copy(ctx, "waste.json", a.waste); err != nil {
		return err
	}
	if err := a.store.exportMoved(ctx, a.export, collected, exportLease); err != nil {
		return err
	}
	if err := a.copyPhotos(ctx); err != nil {
		return err
	}
	return a.zip.Close()
}

func (a *archive) profile(ctx context.Context) error {
	var known *Profile
	profile, err := a.store.Get(ctx, a.export.UserID)
	switch {
	case err == nil:
		known = &profile
	case !isMissing(err):
		return err
	}
	entry, err := a.zip.Create("users.json")
	if err != nil {
		return err
	}
	return json.NewEncoder(entry).Encode(map[string]*Profile{"profile": known})
}

// copy streams what a service holds. It ends with a line feed: one that does not was broken off.
func (a *archive) copy(ctx context.Context, name string, client *erasure.Client) error {
	body, err := client.Open(ctx, a.export.UserID, "/data")
	if err != nil {
		return err
	}
	defer body.Close()
	entry, err := a.zip.Create(name)
	if err != nil {
		return err
	}
	end := &lastByte{}
	if _, err := io.Copy(io.MultiWriter(entry, end), body); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if end.b != '\n' {
		return fmt.Errorf("writing %s: %w", name, io.ErrUnexpectedEOF)
	}
	return nil
}

type lastByte struct{ b byte }

// Write implements io.Writer.
func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.b = p[len(p)-1]
	}
	return len(p), nil
}

// photo is where an analysis's photo is in S3.
type photo struct {
	AnalysisID uuid.UUID `json:"analysis_id"`
	Key        string    `json:"key"`
}

func (a *archive) copyPhotos(ctx context.Context) error {
	body, err := a.waste.Open(ctx, a.export.UserID, "/photos")
	if err != nil {
		return err
	}
	defer body.Close()
	var list struct{ Photos []photo }
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		return fmt.Errorf("reading the list of photos: %w", err)
	}
	moved := time.Now()
	for i, p := range list.Photos {
		if err := a.copyPhoto(ctx, p); err != nil {
			return fmt.Errorf("packing the photo of %s: %w", p.AnalysisID, err)
		}
		progress := collected + (packed-collected)*(i+1)/len(list.Photos)/10*10
		if i+1 == len(list.Photos) || time.Since(moved) > exportLease/3 || a.export.Progress < progress {
			if err := a.store.exportMoved(ctx, a.export, progress, exportLease); err != nil {
				return err
			}
			a.export.Progress, moved = progress, time.Now()
		}
	}
	return nil
}

// copyPhoto leaves out a photo that was removed meanwhile.
func (a *archive) copyPhoto(ctx context.Context, p photo) error {
	jpeg, err := a.objects.Get(ctx, p.Key, maxExportedPhoto)
	if errors.Is(err, objectstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	entry, err := a.zip.CreateHeader(&zip.FileHeader{
		Name: "photos/" + p.AnalysisID.String() + ".jpg", Method: zip.Store,
	})
	if err != nil {
		return err
	}
	if _, err := io.Copy(entry, bytes.NewReader(jpeg)); err != nil {
		return err
	}
	a.photos++
	return nil
}
