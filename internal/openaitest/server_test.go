package openaitest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wastecoach/wastecoach/internal/openaitest"
)

func post(t *testing.T, base, key string, image []byte) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":"m","messages":[{"role":"system","content":"s"},
		{"role":"user","content":[{"type":"text","text":"{}"},{"type":"image_url",
		"image_url":{"url":"data:image/jpeg;base64,%s"}}]}],"response_format":{"type":"json_schema",
		"json_schema":{"name":"waste_verdict","strict":true,"schema":{}}}}`,
		base64.StdEncoding.EncodeToString(image))
	request, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, base+"/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestRecords(t *testing.T) {
	t.Parallel()
	server, base := openaitest.Start(t)
	server.Script(openaitest.ServerError(), openaitest.Cut())
	image := []byte("\xff\xd8 with Exif inside")
	for _, want := range []string{"server_error", "unexpected EOF", "chat.completion"} {
		if got := post(t, base, "job:vision", image); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	calls := server.Calls()
	if len(calls) != 3 || calls[0].Behavior != "status_500" || calls[1].Behavior != "cut" {
		t.Fatalf("calls %+v", calls)
	}
	last := calls[2]
	if !bytes.Contains(last.Image, []byte("Exif")) || len(last.ImageSHA256) != 64 ||
		last.Ended.Before(last.Started) || !last.Answered {
		t.Errorf("call %+v", last)
	}
	if paid := server.Answered(); len(paid) != 1 || paid["job:vision"] != 1 {
		t.Errorf("answered %v, want one for job:vision", paid)
	}
}

func TestMixIsRepeatable(t *testing.T) {
	t.Parallel()
	run := func() string {
		server, base := openaitest.Start(t)
		server.Mix(3,
			openaitest.Chance{Share: 0.3, Behavior: openaitest.ServerError()},
			openaitest.Chance{Share: 0.3, Behavior: openaitest.Garbage()})
		var seen []string
		for range 30 {
			post(t, base, "", nil)
		}
		for _, call := range server.Calls() {
			seen = append(seen, call.Behavior)
		}
		return strings.Join(seen, " ")
	}
	first := run()
	for _, name := range []string{"status_500", "garbage", "ok"} {
		if !strings.Contains(first, name) {
			t.Errorf("%s never came: %s", name, first)
		}
	}
	if again := run(); again != first {
		t.Errorf("the same seed gives\n%s\nthen\n%s", first, again)
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	server, base := openaitest.Start(t)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() { post(t, base, fmt.Sprintf("job-%d", i), []byte("x")) })
	}
	group.Wait()
	if got := len(server.Answered()); got != 50 || server.Active() != 0 || server.Peak() < 1 {
		t.Errorf("%d answered, %d active, peak %d", got, server.Active(), server.Peak())
	}
}

func TestRejectsWhatIsNoQuestion(t *testing.T) {
	t.Parallel()
	_, base := openaitest.Start(t)
	for path, want := range map[string]int{
		"/chat/completions": http.StatusBadRequest, "/elsewhere": http.StatusNotFound,
	} {
		request, err := http.NewRequestWithContext(
			t.Context(), http.MethodPost, base+path, strings.NewReader("no JSON"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
}
