package chatmodel_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/chatmodel"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/openaitest"
)

func newModel(t *testing.T, base string) *chatmodel.Model {
	t.Helper()
	model, err := chatmodel.New(chatmodel.Config{
		BaseURL: base, Model: "test-model", APIKey: "test-key",
		Format: chatmodel.FormatSchema, MaxOutputTokens: 500,
	})
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func newPrompt(t *testing.T) modelcall.Prompt {
	t.Helper()
	schema, err := modelcall.NewSchema("waste_verdict", struct {
		Class string `json:"class"`
	}{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return modelcall.Prompt{
		System: "Judge.", Input: []byte(`{"locale":"ko"}`), JPEG: []byte("\xff\xd8photo"),
		Schema: schema, JobID: "job", Stage: "vision", RequestID: "job-1",
	}
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	type want struct {
		kind      modelcall.Kind
		retryable bool
		after     time.Duration
		billed    bool
	}
	cases := map[string]struct {
		behavior openaitest.Behavior
		want     want
	}{
		"429": {
			openaitest.RateLimited(7 * time.Second),
			want{modelcall.RateLimited, true, 7 * time.Second, false},
		},
		"429 for days": {
			openaitest.RateLimited(1 << 40 * time.Microsecond),
			want{modelcall.RateLimited, true, time.Hour, false},
		},
		"500":      {openaitest.ServerError(), want{modelcall.Unavailable, true, 0, false}},
		"502 HTML": {openaitest.ProxyError(), want{modelcall.Unavailable, true, 0, false}},
		"408": {
			openaitest.Status(http.StatusRequestTimeout, "timeout"),
			want{modelcall.Unavailable, true, 0, false},
		},
		"409": {
			openaitest.Status(http.StatusConflict, "conflict"),
			want{modelcall.Unavailable, true, 0, false},
		},
		"400": {
			openaitest.Status(http.StatusBadRequest, "invalid_image"),
			want{modelcall.Misconfigured, false, 0, false},
		},
		"400 by policy": {
			openaitest.Status(http.StatusBadRequest, "content_policy_violation"),
			want{modelcall.Refused, false, 0, false},
		},
		"401": {
			openaitest.Status(http.StatusUnauthorized, "invalid_api_key"),
			want{modelcall.Misconfigured, false, 0, false},
		},
		"404": {
			openaitest.Status(http.StatusNotFound, "model_not_found"),
			want{modelcall.Misconfigured, false, 0, false},
		},
		"redirect": {
			openaitest.Redirect("/elsewhere/chat/completions"),
			want{modelcall.Misconfigured, false, 0, false},
		},
		"HTML": {openaitest.WrongContentType(), want{modelcall.Unavailable, true, 0, true}},
		"malformed": {
			openaitest.Malformed(), want{modelcall.Unavailable, true, 0, true},
		},
		"cut":        {openaitest.Cut(), want{modelcall.Unavailable, true, 0, true}},
		"refusal":    {openaitest.Refuse(), want{modelcall.Refused, false, 0, true}},
		"filtered":   {openaitest.Filtered(), want{modelcall.Refused, false, 0, true}},
		"truncated":  {openaitest.Truncated(), want{modelcall.InvalidAnswer, true, 0, true}},
		"no choices": {openaitest.NoChoices(), want{modelcall.InvalidAnswer, true, 0, true}},
		"empty":      {openaitest.Answer(""), want{modelcall.InvalidAnswer, true, 0, true}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, base := openaitest.Start(t)
			server.Script(c.behavior)
			_, err := newModel(t, base).Complete(t.Context(), newPrompt(t))
			var call *modelcall.Error
			if !errors.As(err, &call) {
				t.Fatalf("error %v is not typed", err)
			}
			got := want{call.Kind, call.Retryable, call.RetryAfter, call.Billed}
			if got != c.want {
				t.Errorf("got %+v, want %+v (%v)", got, c.want, err)
			}
			if calls := server.Calls(); len(calls) != 1 {
				t.Errorf("%d requests, want 1: retries belong to the queue", len(calls))
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	_, err := newModel(t, "http://127.0.0.1:1/v1").Complete(t.Context(), newPrompt(t))
	var call *modelcall.Error
	if !errors.As(err, &call) || call.Kind != modelcall.Unavailable || call.Billed {
		t.Errorf("got %v, want unavailable and not billed", err)
	}
}

func TestNeverAnswers(t *testing.T) {
	t.Parallel()
	server, base := openaitest.Start(t)
	server.Script(openaitest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := newModel(t, base).Complete(ctx, newPrompt(t)); !errors.Is(
		err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestHugeBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 8 {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20)))
		}
	}))
	t.Cleanup(server.Close)
	_, err := newModel(t, server.URL).Complete(t.Context(), newPrompt(t))
	if modelcall.KindOf(err) != modelcall.Unavailable ||
		!strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v, want unavailable because too large", err)
	}
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	server, base := openaitest.Start(t)
	prompt := newPrompt(t)
	got, err := newModel(t, base).Complete(t.Context(), prompt)
	if err != nil {
		t.Fatal(err)
	}
	if got.Usage.InputTokens != openaitest.InputTokens ||
		got.Usage.OutputTokens != openaitest.OutputTokens {
		t.Errorf("usage %+v", got.Usage)
	}
	call := server.Calls()[0]
	for field, pair := range map[string][2]string{
		"Idempotency-Key": {call.IdempotencyKey, "job:vision"},
		"X-Request-Id":    {call.RequestID, "job-1"},
		"Authorization":   {call.Authorization, "Bearer test-key"},
		"model":           {call.Model, "test-model"},
		"schema":          {call.Schema, "waste_verdict"},
		"system":          {call.System, "Judge."},
		"input":           {call.Input, `{"locale":"ko"}`},
		"image":           {string(call.Image), string(prompt.JPEG)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", field, pair[0], pair[1])
		}
	}
	if !call.Strict {
		t.Error("strict is off")
	}
}

func TestEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "from-environment")
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Request-Id: from-environment")
	server, base := openaitest.Start(t)
	model, err := chatmodel.New(chatmodel.Config{
		BaseURL: base, Model: "m", Format: chatmodel.FormatObject, MaxOutputTokens: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Complete(t.Context(), newPrompt(t)); err != nil {
		t.Fatal(err)
	}
	call := server.Calls()[0]
	if call.Authorization != "" || call.RequestID != "job-1" {
		t.Errorf("the environment got through: %q, %q", call.Authorization, call.RequestID)
	}
	if !strings.Contains(call.System, `"class"`) {
		t.Errorf("without strict schemas the prompt must carry the schema: %q", call.System)
	}
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	good := chatmodel.Config{BaseURL: "https://host/v1", Model: "m", Format: "text"}
	for name, spoil := range map[string]func(*chatmodel.Config){
		"scheme": func(c *chatmodel.Config) { c.BaseURL = "ftp://host" },
		"host":   func(c *chatmodel.Config) { c.BaseURL = "/v1" },
		"model":  func(c *chatmodel.Config) { c.Model = "" },
		"format": func(c *chatmodel.Config) { c.Format = "yaml" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := chatmodel.New(cfg); err == nil {
			t.Errorf("%s: a wrong configuration was taken", name)
		}
	}
	if _, err := chatmodel.New(good); err != nil {
		t.Errorf("a right configuration: %v", err)
	}
}
