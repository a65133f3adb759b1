package waste

import (
	"context"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/imagehash"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/photo"
)

// keptPhoto is a photo as the store and the model have it.
type keptPhoto struct {
	Key         string
	JPEG        []byte
	Fingerprint imagehash.Fingerprint
	// Mark is the fingerprint as text.
	Mark string
}

// keepPhoto makes a photo safe and stores it without its metadata.
func keepPhoto(
	ctx context.Context, normalizer *photo.Normalizer, objects *objectstore.Store,
	key string, original []byte,
) (keptPhoto, error) {
	normal, err := normalizer.Normalize(ctx, original)
	if err != nil {
		return keptPhoto{}, err
	}
	fingerprint := imagehash.Of(normal.Image)
	mark, err := fingerprint.MarshalText()
	if err != nil {
		return keptPhoto{}, fmt.Errorf("writing the fingerprint: %w", err)
	}
	if err := objects.Put(ctx, key, string(photo.JPEG), normal.JPEG); err != nil {
		return keptPhoto{}, err
	}
	return keptPhoto{Key: key, JPEG: normal.JPEG, Fingerprint: fingerprint, Mark: string(mark)}, nil
}
