package audit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"testing"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/telemetry"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	user := uuid.Must(uuid.NewV7())
	tests := map[string]struct {
		event audit.Event
		want  map[string]any
	}{
		"done": {
			audit.Event{
				Name: audit.Login, Outcome: audit.Done, Actor: audit.User(user), Subject: "session:s",
			},
			map[string]any{
				"event": "login", "outcome": "done", "actor": "user:" + user.String(),
				"subject": "session:s",
			},
		},
		"refused": {
			audit.Event{Name: audit.Login, Outcome: audit.Refused, Actor: audit.Nobody, Reason: "nonce"},
			map[string]any{
				"event": "login", "outcome": "refused", "actor": "nobody", "reason": "nonce",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			// A level that hides everything else does not hide this.
			logger := telemetry.NewLogger(&out, "auth", slog.LevelError)
			ctx := telemetry.With(t.Context(), slog.String("request_id", "r-1"))
			audit.New(logger).Write(audit.WithAddress(ctx, "203.0.113.7"), tt.event)
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", out.String(), err)
			}
			if got["time"] == nil {
				t.Error("the line has no time")
			}
			delete(got, "time")
			maps.Copy(tt.want, map[string]any{
				"level": "INFO", "msg": "audit", "service": "auth", "request_id": "r-1",
				"address": "203.0.113.7",
			})
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWriteWithoutRequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	audit.New(telemetry.NewLogger(&out, "auth", slog.LevelInfo)).Write(t.Context(), audit.Event{
		Name: audit.KeysRotated, Outcome: audit.Done, Actor: audit.Operator,
	})
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if _, has := got["address"]; has || got["actor"] != "operator" {
		t.Errorf("got %v", got)
	}
}
