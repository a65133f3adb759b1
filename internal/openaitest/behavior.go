package openaitest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/wastecoach/wastecoach/internal/simulator"
)

// Behavior is one way to treat a call; Name is recorded with it.
type Behavior struct {
	Name string
	run  func(*exchange)
}

type exchange struct {
	w      http.ResponseWriter
	r      *http.Request
	asked  request
	call   *Call
	server *Server
}

// OK answers with the simulator's answer to the schema that was asked for.
func OK() Behavior {
	return Behavior{"ok", func(x *exchange) { x.answerWell() }}
}

// Slow answers like OK after d, unless the client goes first.
func Slow(d time.Duration) Behavior {
	return Behavior{"slow", func(x *exchange) {
		if x.wait(d) {
			x.answerWell()
		}
	}}
}

// Answer sends text as the model's message.
func Answer(text string) Behavior {
	return Behavior{"answer", func(x *exchange) { x.answer(text) }}
}

// Garbage sends a message that is no JSON.
func Garbage() Behavior {
	return Behavior{"garbage", func(x *exchange) { x.answerBadly("Sure! It is {a bottle") }}
}

// WrongSchema sends a message of valid JSON that breaks every schema asked for here.
func WrongSchema() Behavior {
	return Behavior{"wrong_schema", func(x *exchange) { x.answerBadly(`{"class":"treasure"}`) }}
}

// RateLimited answers 429 and tells when to come back, in whole seconds.
func RateLimited(after time.Duration) Behavior {
	return Behavior{"rate_limited", func(x *exchange) {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
		writeError(x.w, http.StatusTooManyRequests, "rate_limit_exceeded")
	}}
}

// Status answers an error of that status with the API's JSON body.
func Status(status int, code string) Behavior {
	return Behavior{"status_" + strconv.Itoa(status), func(x *exchange) {
		writeError(x.w, status, code)
	}}
}

// ServerError answers 500.
func ServerError() Behavior { return Status(http.StatusInternalServerError, "server_error") }

// ProxyError answers 502 with the HTML page of a proxy.
func ProxyError() Behavior {
	return Behavior{"proxy_error", func(x *exchange) {
		write(x.w, http.StatusBadGateway, "text/html", []byte("<h1>502 Bad Gateway</h1>"))
	}}
}

// Redirect points to another place, as a captive portal does.
func Redirect(url string) Behavior {
	return Behavior{"redirect", func(x *exchange) {
		http.Redirect(x.w, x.r, url, http.StatusTemporaryRedirect)
	}}
}

// WrongContentType answers 200 with a page of HTML.
func WrongContentType() Behavior {
	return Behavior{"wrong_content_type", func(x *exchange) {
		write(x.w, http.StatusOK, "text/html", []byte("<h1>Welcome</h1>"))
	}}
}

// Malformed answers 200 with a body that is no JSON though it says so.
func Malformed() Behavior {
	return Behavior{"malformed", func(x *exchange) {
		write(x.w, http.StatusOK, "application/json", []byte(`{"choices": [}`))
	}}
}

// Cut closes the connection in the middle of a good answer.
func Cut() Behavior {
	return Behavior{"cut", func(x *exchange) { x.cut() }}
}

// Refuse answers with the model's refusal.
func Refuse() Behavior {
	return Behavior{"refuse", func(x *exchange) {
		x.send(reply{Refusal: "I can't help with that.", Finish: "stop"})
	}}
}

// Filtered answers that the provider's content filter stopped the model.
func Filtered() Behavior {
	return Behavior{"filtered", func(x *exchange) { x.send(reply{Finish: "content_filter"}) }}
}

// Truncated answers with half a message that hit the token limit.
func Truncated() Behavior {
	return Behavior{"truncated", func(x *exchange) {
		x.send(reply{Content: `{"class":"gla`, Finish: "length"})
	}}
}

// NoChoices answers with an empty list of choices.
func NoChoices() Behavior {
	return Behavior{"no_choices", func(x *exchange) { x.send(reply{NoChoices: true}) }}
}

// Hang never answers; it ends with the client or the server.
func Hang() Behavior {
	return Behavior{"hang", func(x *exchange) { x.wait(0) }}
}

func (x *exchange) answerWell() {
	schema := x.call.Schema
	if schema == "" {
		// Endpoints without schemas are asked in words; a photo tells which question it is.
		schema = simulator.AdviceSchema
		if len(x.call.Image) > 0 {
			schema = simulator.VerdictSchema
		}
	}
	text, err := simulator.Answer(schema, []byte(x.call.Input), x.call.Image)
	if err != nil {
		writeError(x.w, http.StatusBadRequest, "unknown_schema")
		return
	}
	x.answer(text)
}

func (x *exchange) answer(text string) {
	x.server.mu.Lock()
	x.call.Answered = true
	x.server.mu.Unlock()
	x.answerBadly(text)
}

func (x *exchange) answerBadly(text string) { x.send(reply{Content: text, Finish: "stop"}) }

// wait reports whether d went by with the client still there; 0 is forever.
func (x *exchange) wait(d time.Duration) bool {
	var ready <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		ready = timer.C
	}
	select {
	case <-ready:
		return true
	case <-x.r.Context().Done():
	case <-x.server.closed:
	}
	return false
}
