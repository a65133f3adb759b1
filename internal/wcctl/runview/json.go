package runview

import (
	"encoding/json"
	"io"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// NewJSON writes every event as one line.
func NewJSON(w io.Writer) View {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return jsonLines{enc}
}

type jsonLines struct{ enc *json.Encoder }

// Emit implements event.Sink.
func (j jsonLines) Emit(e event.Event) {
	_ = j.enc.Encode(e) // a reader that went away cannot be told
}

// Close implements View.
func (jsonLines) Close() {}
