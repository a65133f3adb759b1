package apitest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

// internal is the prefix of the routes that services have for each other, which clients never see.
const internal = "/internal/"

// frame lists the routes that every service has and no document describes.
var frame = []string{"/healthz", "/readyz", "/metrics", "/openapi.json"}

// Wrap returns h with every exchange held against the document: the answer's status, content type,
// body and headers always, the request only when it was answered 2xx or 3xx, so that tests can
// send faulty ones. A breach fails t. The server around it must be closed before t ends.
func (c *Contract) Wrap(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &capture{ReadCloser: r.Body}
		observed := r.Clone(r.Context())
		observed.Body = body
		recorder := &recorder{ResponseWriter: w}
		h.ServeHTTP(recorder, observed)
		if r.Context().Err() != nil {
			return // the client left, so nobody saw an answer
		}
		request := r.Clone(r.Context())
		request.Body = io.NopCloser(bytes.NewReader(body.all()))
		//nolint:bodyclose // its body is a buffer
		e := exchange{request: request, response: recorder.response(r), body: recorder.body.Bytes()}
		if faults := c.faults(e); len(faults) > 0 {
			t.Error(e.report(faults))
		}
	})
}

// faults says what the document does not allow about e, and marks the answer as seen.
func (c *Contract) faults(e exchange) []string {
	if isFrame(e.request.URL.Path) {
		return nil
	}
	path, operation := c.operation(e.request)
	if operation == nil {
		if e.response.StatusCode == http.StatusNotFound ||
			e.response.StatusCode == http.StatusMethodNotAllowed {
			return nil
		}
		return []string{"the document has no such operation"}
	}
	status, documented := find(operation.Responses, e.response.StatusCode)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[answer{e.request.Method, path, status}] = true
	_, breaches := c.check.ValidateHttpResponse(e.request, e.response)
	if e.response.StatusCode < http.StatusBadRequest {
		_, more := c.check.ValidateHttpRequestSync(e.request)
		breaches = append(breaches, more...)
	}
	return append(c.describe(breaches), checkPresence(documented, len(e.body))...)
}

// checkPresence finds a body that is missing or was not announced; the validator takes both.
func checkPresence(documented *v3.Response, size int) []string {
	switch {
	case documented == nil:
		return nil // an unknown status is reported already
	case size == 0 && orderedmap.Len(documented.Content) > 0:
		return []string{"the document promises a body, but there is none"}
	case size > 0 && orderedmap.Len(documented.Content) == 0:
		return []string{"the document promises no body, but there is one"}
	}
	return nil
}

func isFrame(path string) bool {
	for _, route := range frame {
		if strings.HasSuffix(path, route) {
			return true
		}
	}
	return strings.HasPrefix(path, internal)
}

// operation finds what the document says about r; nil when it says nothing.
func (c *Contract) operation(r *http.Request) (string, *v3.Operation) {
	route, err := c.routes.FindRoute(r)
	if err != nil {
		return "", nil
	}
	if r.Method == http.MethodHead && route.PathItem.Head == nil {
		return "", nil // the router falls back to GET, whose body a HEAD does not have
	}
	return route.Path, route.Operation
}

// find returns the entry for a status code: the code itself, its range, or the default.
func find(responses *v3.Responses, code int) (string, *v3.Response) {
	if responses == nil {
		return "", nil
	}
	exact := strconv.Itoa(code)
	for _, status := range []string{exact, exact[:1] + "XX"} {
		if orderedmap.Len(responses.Codes) == 0 {
			break // the document may have a default only
		}
		if documented, ok := responses.Codes.Get(status); ok {
			return status, documented
		}
	}
	return "default", responses.Default
}

// capture keeps what passes through a request's body.
type capture struct {
	io.ReadCloser
	read bytes.Buffer
}

// Read implements io.Reader.
func (c *capture) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.read.Write(p[:n])
	return n, err
}

// all returns the whole body, what the handler left unread included.
func (c *capture) all() []byte {
	if c.ReadCloser != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c, maxLeftover))
	}
	return c.read.Bytes()
}

// maxLeftover bounds what is read after a handler that refused a large body.
const maxLeftover = 1 << 20

// recorder copies an answer on its way to the client.
type recorder struct {
	http.ResponseWriter
	status int
	header http.Header
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status, r.header = status, r.Header().Clone()
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which gin asserts.
func (r *recorder) Flush() {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	err := http.NewResponseController(r.ResponseWriter).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return // the client is gone; Wrap notices by the request's context
	}
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) response(request *http.Request) *http.Response {
	if r.status == 0 {
		r.status, r.header = http.StatusOK, r.Header().Clone()
	}
	return &http.Response{
		StatusCode: r.status,
		Header:     r.header,
		Body:       io.NopCloser(bytes.NewReader(r.body.Bytes())),
		Request:    request,
	}
}
