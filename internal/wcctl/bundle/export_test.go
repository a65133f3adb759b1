package bundle

import (
	"context"
	"io"
)

// WriteIndex makes a folder of packages a flat apt repository.
var WriteIndex = writeIndex

// Stream runs a program as the steps do.
func Stream(ctx context.Context, w io.Writer, args ...string) error {
	return command{args: args}.stream(ctx, w)
}
