package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	outer := telemetry.With(t.Context(), slog.String("request_id", "r1"))
	deep := outer // one attribute at a time, so that the last slice could have room for a fourth
	for _, key := range []string{"a", "b"} {
		deep = telemetry.With(deep, slog.Int(key, 1))
	}
	deepLeft := telemetry.With(deep, slog.String("job_id", "left"))
	telemetry.With(deep, slog.String("job_id", "right"))
	left := telemetry.With(outer, slog.String("job_id", "left"))
	right := telemetry.With(outer, slog.String("job_id", "right"))
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	tests := map[string]struct {
		ctx  context.Context //nolint:containedctx // the table's input
		want string
	}{
		"plain":        {t.Context(), ``},
		"one":          {outer, `,"request_id":"r1"`},
		"left branch":  {left, `,"request_id":"r1","job_id":"left"`},
		"deep branch":  {deepLeft, `,"request_id":"r1","a":1,"b":1,"job_id":"left"`},
		"right branch": {right, `,"request_id":"r1","job_id":"right"`},
		"traced": {
			trace.ContextWithSpanContext(outer, span),
			`,"request_id":"r1","trace_id":"01000000000000000000000000000000"`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			logger := telemetry.NewLogger(&out, "waste", slog.LevelInfo)
			logger.DebugContext(tt.ctx, "hidden")
			logger.With("part", "api").InfoContext(tt.ctx, "done", "n", 1)
			var record map[string]any
			if err := json.Unmarshal(out.Bytes(), &record); err != nil {
				t.Fatalf("not one line of JSON: %s", out.String())
			}
			_, rest, _ := strings.Cut(out.String(), `"level":`)
			want := `"INFO","msg":"done","service":"waste","part":"api","n":1` + tt.want + "}\n"
			if rest != want {
				t.Errorf("got  %swant %s", rest, want)
			}
		})
	}
}

func TestRegistryReportsTheProcess(t *testing.T) {
	t.Parallel()
	families, err := telemetry.NewRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range families {
		found[f.GetName()] = true
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "wastecoach_build_info"} {
		if !found[name] {
			t.Errorf("%s is missing in %v", name, found)
		}
	}
}

// otel's provider and propagator belong to the process: these two tests run alone.

func TestTracingIsOffWithoutAnEndpoint(t *testing.T) { //nolint:paralleltest // the process's provider
	off := noop.NewTracerProvider()
	otel.SetTracerProvider(off)
	flush, err := telemetry.StartTracing(t.Context(), "waste", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if otel.GetTracerProvider() != off {
		t.Error("a provider is set")
	}
	carrier := propagation.MapCarrier{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	ctx := otel.GetTextMapPropagator().Extract(t.Context(), carrier)
	if got := trace.SpanContextFromContext(ctx).TraceID().String(); got != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace context is not carried on: %s", got)
	}
	if err := flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTracesAreExported(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			got <- r.Method + " " + r.URL.Path + " " + string(body)
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	flush, err := telemetry.StartTracing(t.Context(), "waste", os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(t.Context(), "the-span")
	span.End()
	if err := flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case sent := <-got:
		for _, want := range []string{"POST /v1/traces ", "the-span", "service.name", "waste"} {
			if !strings.Contains(sent, want) {
				t.Errorf("%q is not in %q", want, sent)
			}
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was exported")
	}
}
