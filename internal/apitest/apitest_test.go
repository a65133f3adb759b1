package apitest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
)

const document = `
openapi: 3.1.0
info: {title: things, version: "1"}
servers: [{url: /api/v1/things}]
paths:
  /:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties: {name: {type: string, minLength: 1}}
      responses:
        "201":
          description: made
          headers:
            Location: {required: true, schema: {type: string}}
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
        "4XX": {$ref: "#/components/responses/Problem"}
  /{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
    get:
      parameters:
        - {name: full, in: query, schema: {type: boolean}}
      responses:
        "200":
          description: found
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
        "304": {description: not modified}
        "404": {$ref: "#/components/responses/Problem"}
components:
  responses:
    Problem:
      description: refused
      content:
        application/problem+json:
          schema:
            type: object
            required: [code]
            properties: {code: {type: string}}
  schemas:
    Thing:
      type: object
      required: [id, note]
      properties:
        id: {type: string, format: uuid}
        note: {type: [string, "null"]}
        at: {type: string, format: date-time}
        tags: {type: object, additionalProperties: {type: string}}
`

const (
	id    = "0192f0c1-7e3a-7bbb-8c3d-0123456789ab"
	thing = `{"id":"` + id + `","note":null,"at":"2026-01-02T03:04:05Z","tags":{"any":"name"}}`
)

// spy stands for the test that Wrap or Routes would fail.
type spy struct {
	testing.TB
	mu     sync.Mutex
	errors []string
}

func (s *spy) Helper() {}

func (s *spy) Error(args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = append(s.errors, fmt.Sprint(args...))
}

// canned is an answer that a handler gives to anything.
type canned struct {
	status int
	header http.Header
	body   string
}

func (a canned) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for name := range a.header {
		w.Header().Set(name, a.header.Get(name))
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func jsonHeader(pairs ...string) http.Header {
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	for pair := range slices.Chunk(pairs, 2) {
		header.Set(pair[0], pair[1])
	}
	return header
}

var problemHeader = http.Header{"Content-Type": {"application/problem+json"}}

func setup(t *testing.T) *Contract {
	t.Helper()
	c, err := New([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func TestWrap(t *testing.T) {
	t.Parallel()
	instead := func(old, replacement string) canned {
		return canned{200, jsonHeader(), strings.Replace(thing, old, replacement, 1)}
	}
	const root, one = "/api/v1/things/", "/api/v1/things/" + id
	get := func(suffix string) *http.Request { return request("GET", one+suffix, "") }
	post := func(body string) *http.Request { return request("POST", root, body) }
	nowhere := func() *http.Request { return request("GET", "/nowhere/at/all", "") }
	put := func() *http.Request { return request("PUT", one, "") }
	made := jsonHeader("Location", one)
	for _, tc := range []struct {
		name    string
		request *http.Request
		answer  canned
		want    string // part of the failure, empty when the exchange keeps the contract
	}{
		{"found", get("?full=true"), canned{200, jsonHeader(), thing}, ""},
		{"not modified", get(""), canned{304, nil, ""}, ""},
		{"problem", get(""), canned{404, problemHeader, `{"code":"gone"}`}, ""},
		{"created", post(`{"name":"x"}`), canned{201, made, thing}, ""},
		{"own header", get(""), canned{200, jsonHeader("X-Request-Id", "1"), thing}, ""},
		{"faulty request refused", post(`{"name":""}`), canned{422, problemHeader, `{"code":"e"}`}, ""},
		{"garbage refused", post(`{"na`), canned{400, problemHeader, `{"code":"e"}`}, ""},
		{"faulty id refused", request("GET", root+"x", ""), canned{404, problemHeader, `{"code":"e"}`}, ""},
		{"health", request("GET", "/healthz", ""), canned{200, nil, "ok"}, ""},
		{"unknown path", nowhere(), canned{404, nil, "?"}, ""},
		{"unknown method", put(), canned{405, nil, "?"}, ""},
		{"head", request("HEAD", one, ""), canned{405, nil, ""}, ""},

		{"status", get(""), canned{202, jsonHeader(), thing}, "202"},
		{"content type", get(""), canned{200, http.Header{"Content-Type": {"text/plain"}}, thing}, "text/plain"},
		{"problem as JSON", get(""), canned{404, jsonHeader(), `{"code":"gone"}`}, "application/json"},
		{"problem without code", get(""), canned{404, problemHeader, `{}`}, "code"},
		{"missing property", get(""), canned{200, jsonHeader(), `{"id":"` + id + `"}`}, "note"},
		{"wrong type", get(""), instead("null", "1"), "note"},
		{"wrong format", get(""), instead("T03", " 03"), "date-time"},
		{"undocumented property", get(""), instead("{", `{"extra":1,`), "extra"},
		{"not JSON", get(""), canned{200, jsonHeader(), `{`}, "decoded"},
		{"empty body", get(""), canned{200, jsonHeader(), ``}, "promises a body"},
		{"unannounced body", get(""), canned{304, nil, "x"}, "promises no body"},
		{"wrong value in a map", get(""), instead(`"name"`, `1`), "tags"},
		{"required header", post(`{"name":"x"}`), canned{201, jsonHeader(), thing}, "Location"},
		{"faulty body accepted", post(`{"name":""}`), canned{201, made, thing}, "name"},
		{"undocumented field accepted", post(`{"name":"x","b":1}`), canned{201, made, thing}, "'b'"},
		{"faulty id accepted", request("GET", root+"x", ""), canned{200, jsonHeader(), thing}, "uuid"},
		{"faulty query accepted", get("?full=maybe"), canned{200, jsonHeader(), thing}, "full"},
		{"undocumented query accepted", get("?all=1"), canned{200, jsonHeader(), thing}, "all"},
		{"undocumented path answered", nowhere(), canned{200, nil, "?"}, "no such operation"},
		{"undocumented method answered", put(), canned{200, nil, "?"}, "no such operation"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			test, w := &spy{TB: t}, httptest.NewRecorder()
			setup(t).Wrap(test, tc.answer).ServeHTTP(w, tc.request)
			if w.Code != tc.answer.status || w.Body.String() != tc.answer.body {
				t.Errorf("client got %d %s", w.Code, w.Body)
			}
			switch got := strings.Join(test.errors, "\n"); {
			case tc.want == "" && got != "":
				t.Errorf("unexpected failure: %s", got)
			case !strings.Contains(got, tc.want) || tc.want != "" && got == "":
				t.Errorf("failure is %q, want one with %q", got, tc.want)
			default:
				t.Log(got)
			}
		})
	}
}

func TestParallelClients(t *testing.T) {
	t.Parallel()
	c := setup(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		canned{201, jsonHeader("Location", "/"), thing}.ServeHTTP(w, r)
	})
	server := httptest.NewServer(c.Wrap(t, handler))
	t.Cleanup(server.Close)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 20 {
				answer, err := http.Post(server.URL+"/api/v1/things/", "application/json",
					strings.NewReader(`{"name":"x"}`))
				if err != nil {
					t.Error(err)
					return
				}
				_ = answer.Body.Close()
			}
		})
	}
	clients.Wait()
}

func TestGinMayFlushThroughWrap(t *testing.T) {
	t.Parallel()
	engine := gin.New()
	engine.GET("/api/v1/things/:id", func(c *gin.Context) {
		c.Data(http.StatusOK, "application/json", []byte(thing))
		c.Writer.Flush()
	})
	w := httptest.NewRecorder()
	setup(t).Wrap(t, engine).ServeHTTP(w, request("GET", "/api/v1/things/"+id, ""))
	if !w.Flushed {
		t.Error("the flush did not reach the client")
	}
}

func TestUncovered(t *testing.T) {
	t.Parallel()
	c := setup(t)
	visit := func(r *http.Request, a canned) {
		c.Wrap(t, a).ServeHTTP(httptest.NewRecorder(), r)
	}
	visit(request("GET", "/api/v1/things/"+id, ""), canned{200, jsonHeader(), thing})
	visit(request("POST", "/api/v1/things/", `{"name":""}`), canned{422, problemHeader, `{"code":"e"}`})
	want := []string{
		"POST / 201: documented, but no test sees it",
		"GET /{id} 304: documented, but no test sees it",
		"GET /{id} 404: documented, but no test sees it",
	}
	if got := c.uncovered(nil); !slices.Equal(got, want) {
		t.Errorf("uncovered = %q, want %q", got, want)
	}
	if got := c.uncovered([]string{"POST / 201", "304", "GET /{id} 404"}); len(got) > 0 {
		t.Errorf("uncovered = %q although all missing answers are waived", got)
	}
	stale := []string{"POST / 201", "304", "404", "POST / 4XX", "503"}
	want = []string{
		"POST / 4XX: called unprovoked, but no such answer is missing",
		"503: called unprovoked, but no such answer is missing",
	}
	if got := c.uncovered(stale); !slices.Equal(got, want) {
		t.Errorf("uncovered = %q, want %q", got, want)
	}
	test := &spy{TB: t}
	if c.Covered(test); len(test.errors) != 3 {
		t.Errorf("Covered failed with %q, want three lines", test.errors)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	nothing := func(*gin.Context) {}
	engine := gin.New()
	engine.GET("/healthz", nothing)
	engine.GET("/debug", nothing)
	engine.GET("/api/v1/things/openapi.json", nothing)
	engine.GET("/api/v1/things/:thing", nothing)
	engine.DELETE("/api/v1/things/:thing", nothing)
	test := &spy{TB: t}
	setup(t).Routes(test, engine.Routes(), "GET /debug")
	want := []string{
		"DELETE /api/v1/things/:thing: registered, but not documented",
		"POST /api/v1/things/: documented, but not registered",
	}
	if !slices.Equal(test.errors, want) {
		t.Errorf("Routes failed with %q, want %q", test.errors, want)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	dangling := strings.Replace(document, "schemas/Thing\"", "schemas/Nothing\"", 1)
	for _, source := range []string{"", "a: b", "{", dangling} {
		if _, err := New([]byte(source)); err == nil {
			t.Errorf("New(%.20q) succeeded, want an error", source)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	c := Must([]byte(document), nil)
	handler := c.Wrap(b, canned{200, jsonHeader(), thing})
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), request("GET", "/api/v1/things/"+id, ""))
	}
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}
