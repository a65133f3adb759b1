package openaitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Tokens that every answer claims to have used.
const (
	InputTokens  = 1200
	OutputTokens = 150
)

type reply struct {
	Content   string
	Refusal   string
	Finish    string
	NoChoices bool
}

type (
	object = map[string]any
	list   = []any
)

func (x *exchange) send(r reply) {
	write(x.w, http.StatusOK, "application/json", x.body(r))
}

func (x *exchange) body(r reply) []byte {
	message := object{"role": "assistant", "content": r.Content, "refusal": nil}
	if r.Refusal != "" {
		message["content"], message["refusal"] = nil, r.Refusal
	}
	choices := list{object{"index": 0, "message": message, "finish_reason": r.Finish}}
	if r.NoChoices {
		choices = list{}
	}
	return encode(object{
		"id": "chatcmpl-test", "object": "chat.completion", "created": time.Now().Unix(),
		"model": x.asked.Model, "choices": choices,
		"usage": object{
			"prompt_tokens": InputTokens, "completion_tokens": OutputTokens,
			"total_tokens": InputTokens + OutputTokens,
		},
	})
}

func (x *exchange) cut() {
	body := x.body(reply{Content: `{"class":"glass"}`, Finish: "stop"})
	connection, buffer, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		// HTTP/2 has no connection to take over; aborting the stream is the same to the client.
		panic(http.ErrAbortHandler)
	}
	defer connection.Close()
	_, _ = fmt.Fprintf(buffer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
	_ = buffer.Flush()
}

func writeError(w http.ResponseWriter, status int, code string) {
	write(w, status, "application/json", encode(object{
		"error": object{"message": "told to fail", "type": "test", "param": nil, "code": code},
	}))
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// A client that has gone is what some tests are about.
	_, _ = w.Write(body)
}

func encode(value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Errorf("encoding a test answer: %w", err))
	}
	return body
}
