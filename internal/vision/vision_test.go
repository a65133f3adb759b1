package vision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/internal/vision"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

type bundle struct {
	analyzer vision.Analyzer
	server   *openaitest.Server
	registry *prometheus.Registry
}

func setup(t *testing.T, change func(*modelprovider.Config)) bundle {
	t.Helper()
	server, base := openaitest.Start(t)
	cfg := modelprovider.Config{
		Provider: modelprovider.OpenAI, BaseURL: base, Model: "eye-1", APIKey: "k",
		Format: "json_schema", Timeout: 10 * time.Second, Concurrency: 4,
		MaxOutputTokens: 500, InputPrice: 1, OutputPrice: 2, DailyBudgetMicroUSD: 1_000_000,
		BreakerFailures: 3, BreakerOpenFor: time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	registry := prometheus.NewRegistry()
	analyzer, err := vision.New(cfg, modelprovider.Deps{
		Log: slog.New(slog.DiscardHandler), Registerer: registry,
		Redis: testredis.New(t).Client(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return bundle{analyzer, server, registry}
}

func photo(t *testing.T, c color.Color, quality int) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 64, 48))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var buffer bytes.Buffer
	if err := jpeg.Encode(&buffer, picture, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func green() color.Color { return color.RGBA{R: 40, G: 140, B: 70, A: 255} }

func request(t *testing.T) vision.Request {
	t.Helper()
	return vision.Request{JPEG: photo(t, green(), 90), Locale: "ko", JobID: "job-9", Attempt: 2}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	got, err := b.analyzer.Analyze(t.Context(), request(t))
	if err != nil {
		t.Fatal(err)
	}
	version, err := vision.PromptVersion(modelprovider.Config{Provider: modelprovider.OpenAI})
	if err != nil {
		t.Fatal(err)
	}
	if got.Class != wasteclass.Glass || got.Label != "glass_bottle" || got.Model != "eye-1" ||
		got.PromptVersion != version || len(got.Parts) != 1 {
		t.Errorf("verdict %+v", got)
	}
	const cost = openaitest.InputTokens*1 + openaitest.OutputTokens*2
	if got.Usage.CostMicroUSD != cost {
		t.Errorf("cost %d, want %d", got.Usage.CostMicroUSD, cost)
	}
	call := b.server.Calls()[0]
	if call.IdempotencyKey != "job-9:vision" || call.RequestID != "job-9-2" || !call.Strict {
		t.Errorf("call %q, %q, strict %v", call.IdempotencyKey, call.RequestID, call.Strict)
	}
	if !bytes.Equal(call.Image, request(t).JPEG) {
		t.Error("the model saw another photo")
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	invalid := map[string]openaitest.Behavior{
		"garbage":       openaitest.Garbage(),
		"wrong schema":  openaitest.WrongSchema(),
		"unknown class": openaitest.Answer(with(t, "class", "treasure")),
		"confidence":    openaitest.Answer(with(t, "confidence", 1.5)),
		"extra field":   openaitest.Answer(with(t, "thought", "hm")),
		"missing field": openaitest.Answer(with(t, "name_ko", nil)),
		"empty text":    openaitest.Answer(with(t, "material", " ")),
		"long text":     openaitest.Answer(with(t, "shape", strings.Repeat("x", 81))),
		"control text":  openaitest.Answer(with(t, "name_en", "a\u202eb")),
		"no label":      openaitest.Answer(with(t, "label", "유리병")),
		"two documents": openaitest.Answer(with(t, "shape", "a") + "{}"),
	}
	for name, behavior := range invalid {
		t.Run(name+" repaired", func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Script(behavior)
			got, err := b.analyzer.Analyze(t.Context(), request(t))
			if err != nil {
				t.Fatal(err)
			}
			if got.Usage.InputTokens != 2*openaitest.InputTokens {
				t.Errorf("usage %+v does not cover both tries", got.Usage)
			}
			calls := b.server.Calls()
			if len(calls) != 2 || calls[1].IdempotencyKey != "job-9:vision:repair" ||
				!strings.Contains(calls[1].Repair, "invalid") {
				t.Errorf("calls %d, repair %q", len(calls), calls[len(calls)-1].Repair)
			}
		})
		t.Run(name+" twice", func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Script(behavior, behavior)
			_, err := b.analyzer.Analyze(t.Context(), request(t))
			var call *modelcall.Error
			if !errors.As(err, &call) || call.Kind != modelcall.InvalidAnswer || !call.Retryable {
				t.Errorf("got %v, want invalid_answer", err)
			}
			if calls := len(b.server.Calls()); calls != 2 {
				t.Errorf("%d calls, want one repair try only", calls)
			}
		})
	}
}

// with is a valid answer with one field changed, or removed when value is nil.
func with(t *testing.T, field string, value any) string {
	t.Helper()
	answer := map[string]any{
		"class": "glass", "label": "glass_bottle", "material": "glass", "shape": "bottle",
		"parts": []any{}, "confidence": 0.9, "name_ko": "유리병", "name_en": "Glass bottle",
	}
	answer[field] = value
	if value == nil {
		delete(answer, field)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLenientReading(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"fence":    "```json\n" + with(t, "label", "Glass Bottle!") + "\n```",
		"thinking": "<think>{hm}</think>\n" + with(t, "label", "glass-bottle"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.Script(openaitest.Answer(text))
			got, err := b.analyzer.Analyze(t.Context(), request(t))
			if err != nil || got.Label != "glass_bottle" || got.Parts == nil {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestFaultsAreTyped(t *testing.T) {
	t.Parallel()
	cases := map[modelcall.Kind]openaitest.Behavior{
		modelcall.RateLimited:   openaitest.RateLimited(time.Second),
		modelcall.Unavailable:   openaitest.Cut(),
		modelcall.Timeout:       openaitest.Hang(),
		modelcall.Refused:       openaitest.Refuse(),
		modelcall.InvalidAnswer: openaitest.Truncated(),
		modelcall.Misconfigured: openaitest.Status(http.StatusUnauthorized, "invalid_api_key"),
	}
	for kind, behavior := range cases {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *modelprovider.Config) {
				if kind == modelcall.Timeout {
					c.Timeout = 100 * time.Millisecond
				}
			})
			b.server.Script(behavior)
			_, err := b.analyzer.Analyze(t.Context(), request(t))
			if modelcall.KindOf(err) != kind {
				t.Errorf("got %v, want %s", err, kind)
			}
		})
	}
}

func TestBreakerOnTheWire(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.Script(openaitest.ServerError(), openaitest.Cut(), openaitest.RateLimited(0))
	for range 3 {
		_, _ = b.analyzer.Analyze(t.Context(), request(t))
	}
	_, err := b.analyzer.Analyze(t.Context(), request(t))
	if modelcall.KindOf(err) != modelcall.BreakerOpen || len(b.server.Calls()) != 3 {
		t.Errorf("got %v after %d calls, want breaker_open after 3", err, len(b.server.Calls()))
	}
}

func TestBudgetOnTheWire(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *modelprovider.Config) { c.DailyBudgetMicroUSD = 100 })
	_, err := b.analyzer.Analyze(t.Context(), request(t))
	if modelcall.KindOf(err) != modelcall.BudgetExceeded || len(b.server.Calls()) != 0 {
		t.Errorf("got %v, want budget_exceeded before any call", err)
	}
}

func TestCanceledCallLeavesTheServer(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.Script(openaitest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.analyzer.Analyze(ctx, request(t))
		done <- err
	}()
	poll(t, "the call to arrive", func() bool { return b.server.Active() == 1 })
	cancel()
	if err := <-done; modelcall.KindOf(err) != modelcall.Canceled {
		t.Errorf("got %v, want canceled", err)
	}
	poll(t, "the server to be free", func() bool { return b.server.Active() == 0 })
}

func poll(t *testing.T, what string, ready func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestNoJPEG(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	_, err := b.analyzer.Analyze(t.Context(), vision.Request{JPEG: []byte("GIF89a")})
	if modelcall.KindOf(err) != modelcall.Misconfigured || len(b.server.Calls()) != 0 {
		t.Errorf("got %v, want misconfigured before any call", err)
	}
}

func TestSimulatorPassesTheSameChecks(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *modelprovider.Config) { c.Provider = modelprovider.Simulator })
	ask := func(jpeg []byte) vision.Verdict {
		got, err := b.analyzer.Analyze(t.Context(), vision.Request{JPEG: jpeg, Locale: "ko"})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := ask(photo(t, green(), 90))
	if first.Model != "simulator" || first.Usage.CostMicroUSD != 0 {
		t.Errorf("verdict %+v is not labeled and free", first)
	}
	if again := ask(photo(t, green(), 60)); !reflect.DeepEqual(again, first) {
		t.Errorf("the re-encoded photo gives %+v, want %+v", again, first)
	}
	classes := map[wasteclass.Class]bool{}
	for _, c := range []color.RGBA{
		{240, 240, 240, 255},
		{120, 120, 125, 255},
		{150, 110, 60, 255},
		{240, 200, 60, 255},
		{40, 60, 200, 255},
		{200, 30, 120, 255},
		{40, 140, 70, 255},
	} {
		classes[ask(photo(t, c, 90)).Class] = true
	}
	if len(classes) < 6 {
		t.Errorf("seven colors give only %v", classes)
	}
	// What is no decodable picture is judged by its hash and passes as well.
	for i := range 32 {
		ask([]byte{0xff, 0xd8, byte(i)})
	}
	if len(b.server.Calls()) != 0 {
		t.Error("the simulator reached the network")
	}
}

func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	schema, err := vision.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, schema, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const path = "testdata/schema.json"
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("schema changed (refresh by -update):\n%s", got.String())
	}
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	deps := modelprovider.Deps{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
	for _, provider := range []string{"", "clairvoyance", modelprovider.None} {
		cfg := modelprovider.Config{Provider: provider}
		if _, err := vision.New(cfg, deps); err == nil {
			t.Errorf("provider %q was taken", provider)
		}
	}
}
