package waste

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// The errors of an upload.
var (
	ErrPhotoTooLarge = problem.New(
		problem.TooLarge, "photo_too_large", "The photo is too large.")
	ErrPhotoType = problem.New(
		problem.UnsupportedType, "photo_type_unsupported",
		"Photos must be JPEG, PNG or WebP. HEIC has to be converted to JPEG first.")
	ErrUploadNotFound = problem.New(
		problem.NotFound, "upload_not_found", "There is no such upload.")
	ErrUploadExpired = problem.New(
		problem.Gone, "upload_expired", "The upload was not finished in time.")
	ErrUploadUsed = problem.New(
		problem.Conflict, "upload_used", "The upload belongs to another analysis already.")
)

// What can be wrong with a photo that has arrived; ErrPhotoTooLarge and ErrPhotoType too.
var (
	errPhotoEmpty = problem.New(
		problem.Invalid, "photo_empty", "The photo is empty.")
	errPhotoCorrupt = problem.New(
		problem.Invalid, "photo_corrupt", "The photo is damaged or was cut short.")
	errPhotoPixels = problem.New(
		problem.TooLarge, "photo_too_many_pixels", "The photo has too many pixels.")
)

// photoProblem gives the photo's faults their codes; anything else passes.
func photoProblem(err error) error {
	var unsupported *photo.UnsupportedTypeError
	switch {
	case errors.As(err, &unsupported):
		return ErrPhotoType.Detailf("%s.", unsupported).Because(err)
	case errors.Is(err, photo.ErrEmpty):
		return errPhotoEmpty.Because(err)
	case errors.Is(err, photo.ErrTooLarge):
		return ErrPhotoTooLarge.Because(err)
	case errors.Is(err, photo.ErrTooManyPixels):
		return errPhotoPixels.Because(err)
	case errors.Is(err, photo.ErrCorrupt):
		return errPhotoCorrupt.Because(err)
	default:
		return err
	}
}

// isPhotoFault tells a photo that can never be used from a passing fault.
func isPhotoFault(err error) bool {
	var p *problem.Error
	return errors.As(photoProblem(err), &p)
}

// Upload is a photo that a user announced.
type Upload struct {
	ID          uuid.UUID
	UserID      uuid.UUID
	SHA256      []byte
	Size        int64
	ContentType string
	ObjectKey   string
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// EndsAt is when no PUT that began before ExpiresAt can still be running.
	EndsAt time.Time
}

// UploadRequest announces a photo.
type UploadRequest struct {
	// SHA256 is in hexadecimal.
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	ContentType string `json:"content_type"`
}

// UploadTicket tells the app how to send the photo, until it expires.
type UploadTicket struct {
	UploadID  uuid.UUID         `json:"upload_id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// validate returns the checksum's bytes, or says what is wrong with the announcement.
func (r UploadRequest) validate(limits photo.Limits) ([]byte, error) {
	if r.Size > limits.MaxBytes {
		return nil, ErrPhotoTooLarge.Detailf("The photo has more than %d bytes.", limits.MaxBytes)
	}
	switch photo.Kind(r.ContentType) {
	case photo.JPEG, photo.PNG, photo.WebP:
	default:
		return nil, ErrPhotoType
	}
	var faults []problem.Field
	sum, err := hex.DecodeString(r.SHA256)
	if err != nil || len(sum) != 32 {
		faults = append(faults, problem.Field{
			Pointer: "/sha256", Code: "invalid", Detail: "must be 64 hexadecimal digits",
		})
	}
	if r.Size <= 0 {
		faults = append(faults, problem.Field{
			Pointer: "/size", Code: "out_of_range", Detail: "must be at least 1 byte",
		})
	}
	return sum, invalid(faults)
}

// objectKey is random enough that nobody guesses it.
func objectKey(user, upload uuid.UUID) string {
	return uploadPrefix(user) + upload.String()
}

func photoKey(user, analysis uuid.UUID) string {
	return fmt.Sprintf("%s%s.jpg", photoPrefix(user), analysis)
}

func uploadPrefix(user uuid.UUID) string { return "uploads/" + user.String() + "/" }

func photoPrefix(user uuid.UUID) string { return "photos/" + user.String() + "/" }
