package llm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/openaitest"
)

var update = flag.Bool("update", false, "rewrite golden files")

func setup(t *testing.T, provider string) (llm.Advisor, *openaitest.Server) {
	t.Helper()
	server, base := openaitest.Start(t)
	advisor, err := llm.New(modelprovider.Config{
		Provider: provider, BaseURL: base, Model: "pen-1", Format: "json_schema",
		Timeout: 10 * time.Second, Concurrency: 4, MaxOutputTokens: 500,
		BreakerFailures: 3, BreakerOpenFor: time.Minute,
	}, modelprovider.Deps{
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return advisor, server
}

func request() llm.AdviceRequest {
	return llm.AdviceRequest{
		ItemName: "투명 페트병", Class: "clear_pet", Locale: "ko", Region: "서울특별시",
		Steps: []llm.Step{
			{ID: "empty", Text: "내용물을 비우고 물로 헹굽니다."},
			{ID: "label", Text: "라벨을 뗍니다. 무색 병만 30L 봉투에 모읍니다."},
			{ID: "cap", Text: "뚜껑을 닫아 배출합니다.", Optional: true},
			{ID: "bin", Text: "투명 페트병 전용 수거함에 넣습니다."},
		},
		Mistakes: []string{"유색 페트병은 플라스틱으로 배출합니다."},
		Why:      "고품질 재생 원료로 쓰입니다.",
		Parts:    []string{"라벨", "뚜껑"},
		JobID:    "job-3", Attempt: 1,
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	advisor, server := setup(t, modelprovider.OpenAI)
	got, err := advisor.Advise(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	version, err := llm.PromptVersion()
	if err != nil {
		t.Fatal(err)
	}
	if ids(got) != "empty label cap bin" || got.Model != "pen-1" || got.PromptVersion != version ||
		got.Usage.InputTokens != openaitest.InputTokens {
		t.Errorf("advice %+v", got)
	}
	call := server.Calls()[0]
	if call.IdempotencyKey != "job-3:llm" || strings.Contains(call.Input, "job-3") ||
		!strings.Contains(call.Input, "유색 페트병은") {
		t.Errorf("call %q with %s", call.IdempotencyKey, call.Input)
	}
}

func ids(a llm.Advice) string {
	var list []string
	for _, step := range a.Steps {
		list = append(list, step.ID)
	}
	return strings.Join(list, " ")
}

type said struct {
	Summary string            `json:"summary"`
	Why     string            `json:"why"`
	Steps   []llm.AdvisedStep `json:"steps"`
}

func faithful() said {
	return said{
		Summary: "깨끗이 비워 전용 수거함에 넣으세요.",
		Why:     "다시 원료로 쓰입니다.",
		Steps: []llm.AdvisedStep{
			{ID: "empty", Text: "비우고 헹구세요."},
			{ID: "label", Text: "라벨을 떼고 30L 봉투에 모으세요."},
			{ID: "cap", Text: "뚜껑을 닫으세요."},
			{ID: "bin", Text: "전용 수거함에 넣으세요."},
		},
	}
}

func TestAnswerAgainstRule(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*said)
		fault  string
	}{
		"faithful":         {func(*said) {}, ""},
		"optional dropped": {func(s *said) { s.Steps = append(s.Steps[:2], s.Steps[3]) }, ""},
		"known figure":     {func(s *said) { s.Why = "봉투는 30L입니다." }, ""},
		"mandatory dropped": {
			func(s *said) { s.Steps = s.Steps[1:] }, `step "empty" of the rule is missing`,
		},
		"invented step": {
			func(s *said) {
				s.Steps = append(s.Steps, llm.AdvisedStep{ID: "burn", Text: "태우세요"})
			},
			`step "burn" is not in the rule`,
		},
		"other order": {
			func(s *said) { s.Steps[0], s.Steps[1] = s.Steps[1], s.Steps[0] }, "out of order",
		},
		"repeated step": {
			func(s *said) { s.Steps = append(s.Steps, s.Steps[3]) }, `step "bin"`,
		},
		"no steps":       {func(s *said) { s.Steps = []llm.AdvisedStep{} }, "missing"},
		"invented price": {func(s *said) { s.Summary += " 수수료는 5,000원입니다." }, `"5,000"`},
		"invented link":  {func(s *said) { s.Why += " https://evil.example" }, "evil.example"},
		"empty summary":  {func(s *said) { s.Summary = "" }, "summary is empty"},
		"wrong language": {func(s *said) { s.Why = "It is recycled." }, "not in Korean"},
		"too long":       {func(s *said) { s.Why = strings.Repeat("가", 601) }, "longer than"},
		"control text":   {func(s *said) { s.Why = "가\u202e나" }, "U+202E"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			advisor, server := setup(t, modelprovider.OpenAI)
			answer := faithful()
			c.change(&answer)
			text, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			server.Script(openaitest.Answer(string(text)), openaitest.Answer(string(text)))
			_, err = advisor.Advise(t.Context(), request())
			if c.fault == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if modelcall.KindOf(err) != modelcall.InvalidAnswer ||
				!strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %v, want invalid_answer with %q", err, c.fault)
			}
			if repair := server.Calls()[1].Repair; !strings.Contains(repair, c.fault) {
				t.Errorf("the model was not told why: %q", repair)
			}
		})
	}
}

func TestRepairedAdvice(t *testing.T) {
	t.Parallel()
	advisor, server := setup(t, modelprovider.OpenAI)
	server.Script(openaitest.WrongSchema())
	got, err := advisor.Advise(t.Context(), request())
	if err != nil || ids(got) != "empty label cap bin" || len(server.Calls()) != 2 {
		t.Errorf("got %+v, %v after %d calls", got, err, len(server.Calls()))
	}
}

func TestRepairMeetsAFault(t *testing.T) {
	t.Parallel()
	advisor, server := setup(t, modelprovider.OpenAI)
	server.Script(openaitest.Garbage(), openaitest.RateLimited(2*time.Second))
	_, err := advisor.Advise(t.Context(), request())
	var call *modelcall.Error
	if !errors.As(err, &call) || call.Kind != modelcall.RateLimited ||
		call.RetryAfter != 2*time.Second {
		t.Errorf("got %v, want the repair's own fault", err)
	}
}

func TestSimulatorPassesTheSameChecks(t *testing.T) {
	t.Parallel()
	advisor, server := setup(t, modelprovider.Simulator)
	for _, locale := range []string{"ko", "en"} {
		asked := request()
		asked.Locale = locale
		if locale == "en" {
			asked.ItemName, asked.Why = "Clear PET bottle", ""
			asked.Steps = []llm.Step{{ID: "bin", Text: "Put it into the box for clear PET."}}
		}
		got, err := advisor.Advise(t.Context(), asked)
		if err != nil || got.Model != "simulator" || len(got.Steps) != len(asked.Steps) {
			t.Errorf("%s: %+v, %v", locale, got, err)
		}
	}
	if len(server.Calls()) != 0 {
		t.Error("the simulator reached the network")
	}
}

func TestWithoutModelTheRuleSpeaks(t *testing.T) {
	t.Parallel()
	cfg := modelprovider.Config{Provider: modelprovider.None}
	advisor, err := llm.New(cfg, modelprovider.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	asked := request()
	got, err := advisor.Advise(t.Context(), asked)
	if err != nil || got.Model != llm.RuleModel || got.Why != asked.Why ||
		got.Steps[1].Text != asked.Steps[1].Text || ids(got) != "empty label cap bin" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	schema, err := llm.Schema()
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
