//go:build e2e

package e2e

import (
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/testphoto"
)

// analyses is the document of `wcctl analyze -o json`.
type analyses struct {
	Analyses []struct {
		Photo  string           `json:"photo"`
		Status job.Status       `json:"status"`
		Answer *pipeline.Result `json:"result"`
	} `json:"analyses"`
}

// TestAnalyze is the first use: the stack, then real photos, each with an answer.
func TestAnalyze(t *testing.T) {
	all := photos(t, "original", "glass", 100)
	// The simulator takes 1.5 s for an answer, as a real model does.
	s := startStack(t, nil, "--vision", "simulator")
	place := []string{"--location", "37.5663,126.9779"}

	t.Run("the first photo within 5 s of the command", func(t *testing.T) {
		e := s.wcctl(nil, append([]string{"analyze", all[0]}, place...)...).ok()
		t.Logf("took %s", e.Took)
		if e.Took > 5*time.Second {
			t.Errorf("took %s", e.Took)
		}
		if !strings.Contains(e.Stdout, "simulator") {
			t.Errorf("the simulator is not named in\n%s", e.Stdout)
		}
	})
	t.Run("every photo ends with an answer", func(t *testing.T) {
		var got analyses
		e := s.wcctl(nil, append(append([]string{"analyze", "-o", "json"}, place...), all...)...).ok()
		e.into(&got)
		if len(got.Analyses) != len(all) {
			t.Fatalf("%d answers to %d photos", len(got.Analyses), len(all))
		}
		for _, a := range got.Analyses {
			if a.Status != job.Succeeded || a.Answer == nil || len(a.Answer.Advice.Steps) == 0 ||
				len(a.Answer.CollectionPoints) == 0 {
				t.Errorf("%s: %+v", a.Photo, a)
			}
		}
		t.Logf("%d photos took %s", len(all), e.Took)
	})
	t.Run("the same photo again within 500 ms and without a model call", func(t *testing.T) {
		api := s.api()
		photo, err := os.ReadFile(all[0])
		if err != nil {
			t.Fatal(err)
		}
		before := s.modelCalls()
		start := time.Now()
		id, err := api.UploadPhoto(t.Context(), photo, "image/jpeg")
		if err != nil {
			t.Fatal(err)
		}
		got, err := api.CreateAnalysis(t.Context(),
			client.AnalysisRequest{UploadID: id, IdempotencyKey: "again"})
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		t.Logf("upload and answer took %s", took)
		if got.Job.Status != job.Succeeded || took > 500*time.Millisecond {
			t.Errorf("status %s after %s", got.Job.Status, took)
		}
		if after := s.modelCalls(); after != before {
			t.Errorf("%v model calls", after-before)
		}
	})
	t.Run("re-encoded at quality 60 and resized to 70 %", func(t *testing.T) {
		before := s.modelCalls()
		small := filepath.Join(t.TempDir(), "small.jpg")
		if err := os.WriteFile(small, shrunk(t, all[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		var got analyses
		s.wcctl(nil, "analyze", "-o", "json", small).ok().into(&got)
		if !got.Analyses[0].Answer.Cached {
			t.Error("no hit")
		}
		if after := s.modelCalls(); after != before {
			t.Errorf("%v model calls", after-before)
		}
	})
	t.Run("a missing file is an error that does not stop the others", func(t *testing.T) {
		missing := filepath.Join(t.TempDir(), "none.jpg")
		e := s.wcctl(nil, "analyze", missing, all[0])
		if e.Code != 1 || !strings.Contains(e.Stderr+e.Stdout, filepath.Base(missing)) {
			t.Errorf("exit code %d\n%s%s", e.Code, e.Stdout, e.Stderr)
		}
	})
}

// shrunk is a photo at 70 % of its size and quality 60.
func shrunk(t *testing.T, path string) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	whole, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	size := whole.Bounds().Size().Mul(7).Div(10)
	small := image.NewRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(small, small.Bounds(), whole, whole.Bounds(), draw.Src, nil)
	return testphoto.JPEG(small, 60)
}

// modelCalls adds up the metric over all waste workers.
func (s *stack) modelCalls() float64 {
	s.t.Helper()
	line := regexp.MustCompile(`(?m)^model_calls_total\{.*kind="vision".*\} (\S+)$`)
	sum := 0.0
	for _, r := range s.Replicas {
		if r.Service != "waste" || !r.Worker {
			continue
		}
		request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, r.URL+"/metrics", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			s.t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range line.FindAllSubmatch(body, -1) {
			n, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// runs tells whether there is such a process; one that has ended but was not waited for is none.
func runs(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

// TestNothingIsLeftBehind stops the stack and looks for its processes.
func TestNothingIsLeftBehind(t *testing.T) {
	s := startStack(t, nil, "--model-latency", "0s")
	var status map[string]any
	if err := json.Unmarshal([]byte(s.wcctl(nil, "dev", "status", "-o", "json").ok().Stdout),
		&status); err != nil {
		t.Fatal(err)
	}
	second := s.wcctl(nil, "dev", "--port", "0")
	if second.Code != 1 || !strings.Contains(second.Stderr, strconv.Itoa(s.PID)) {
		t.Errorf("a second one: exit code %d\n%s", second.Code, second.Stderr)
	}
	s.wcctl(nil, "dev", "stop").ok()
	pids := []int{s.PID}
	for _, pid := range s.Children {
		pids = append(pids, pid)
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for runs(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is left", pid)
			}
		}
	}
	if e := s.wcctl(nil, "dev", "status"); e.Code == 0 {
		t.Errorf("status of nothing: %s", e.Stdout)
	}
}
