package vision_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// never and always are thresholds at which the built-in model is unsure.
const (
	never  = 0.0
	always = 1.1
)

func builtIn(t *testing.T, sureAt float64) vision.Analyzer {
	t.Helper()
	cfg := modelprovider.Config{
		Provider: modelprovider.Local, Timeout: 10 * time.Second, Concurrency: 2, MaxOutputTokens: 1,
		BreakerFailures: 3, BreakerOpenFor: time.Minute,
	}
	a, err := vision.New(cfg, modelprovider.Deps{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return vision.SureAt(a, sureAt)
}

func TestBuiltInModelSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, unsure := range []bool{false, true} {
		sureAt := never
		if unsure {
			sureAt = always
		}
		got, err := builtIn(t, sureAt).Analyze(t.Context(), request(t))
		if err != nil {
			t.Fatal(err)
		}
		six := []string{"cardboard", "glass", "metal", "paper", "plastic", "trash"}
		if got.Model != "local" || got.PromptVersion == "" || !slices.Contains(six, got.Label) ||
			!got.Class.Valid() || got.Unsure != unsure || got.Usage != (modelcall.Usage{}) {
			t.Errorf("verdict %+v", got)
		}
		if !strings.Contains(got.NoteEN, "knows only "+strings.Join(six[:5], ", ")+" and trash") ||
			!strings.Contains(got.NoteKO, "여섯 가지만") {
			t.Errorf("it does not say that it knows only six: %q, %q", got.NoteEN, got.NoteKO)
		}
		if strings.Contains(got.NoteEN, "another photo") != unsure ||
			strings.Contains(got.NoteKO, "다시") != unsure {
			t.Errorf("unsure %t: %q, %q", unsure, got.NoteEN, got.NoteKO)
		}
	}
}

// localFirst is the built-in model in front of the remote one of setup.
func localFirst(t *testing.T, sureAt float64) bundle {
	t.Helper()
	b := setup(t, func(c *modelprovider.Config) { c.Provider = modelprovider.LocalFirst })
	b.analyzer = vision.SureAt(b.analyzer, sureAt)
	return b
}

func TestLocalFirstAsksNobodyWhereItIsSure(t *testing.T) {
	t.Parallel()
	b := localFirst(t, never)
	got, err := b.analyzer.Analyze(t.Context(), request(t))
	if err != nil || got.Model != "local" || len(b.server.Calls()) != 0 {
		t.Errorf("%+v after %d calls, %v", got, len(b.server.Calls()), err)
	}
}

func TestLocalFirstAsksTheRemoteModelWhereItIsNot(t *testing.T) {
	t.Parallel()
	b := localFirst(t, always)
	got, err := b.analyzer.Analyze(t.Context(), request(t))
	if err != nil || got.Model != "eye-1" || got.Unsure || got.NoteEN != "" || len(b.server.Calls()) != 1 {
		t.Errorf("%+v after %d calls, %v", got, len(b.server.Calls()), err)
	}
}

func TestLocalFirstGuessesWhereTheRemoteModelIsDown(t *testing.T) {
	t.Parallel()
	b := localFirst(t, always)
	b.server.Script(openaitest.ServerError())
	got, err := b.analyzer.Analyze(t.Context(), request(t))
	if err != nil || got.Model != "local" || !got.Unsure || len(b.server.Calls()) != 1 {
		t.Errorf("%+v after %d calls, %v", got, len(b.server.Calls()), err)
	}
	_, err = b.analyzer.Analyze(t.Context(), vision.Request{JPEG: []byte{0xff, 0xd8}})
	if err != nil {
		t.Errorf("what the built-in model cannot read goes to the remote one, which took it before: %v", err)
	}
}

func TestCacheGenerations(t *testing.T) {
	t.Parallel()
	versions := map[string]bool{}
	for _, provider := range []string{modelprovider.OpenAI, modelprovider.Local, modelprovider.LocalFirst} {
		version, err := vision.PromptVersion(modelprovider.Config{Provider: provider})
		if err != nil {
			t.Fatal(err)
		}
		versions[version] = true
	}
	if len(versions) != 3 {
		t.Errorf("versions %v: answers of one would be taken for another's", versions)
	}
}
