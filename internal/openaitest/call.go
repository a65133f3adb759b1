package openaitest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Call is what the server saw of one request. Ended is zero while the call runs; Answered tells
// that a whole answer that ends its stage was sent (OK, Slow, Answer).
type Call struct {
	Started        time.Time
	Ended          time.Time
	Behavior       string
	Answered       bool
	IdempotencyKey string
	RequestID      string
	Authorization  string
	Model          string
	Schema         string
	Strict         bool
	System         string
	Input          string
	// Repair is the last user message when the call repairs an earlier answer.
	Repair      string
	Image       []byte
	ImageSHA256 string
}

// Calls returns a copy of every call so far, in order of arrival.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]Call, 0, len(s.calls))
	for _, call := range s.calls {
		calls = append(calls, *call)
	}
	return calls
}

// Answered counts whole answers by idempotency key: a stage that was paid twice has 2.
func (s *Server) Answered() map[string]int {
	counts := make(map[string]int)
	for _, call := range s.Calls() {
		if call.Answered {
			counts[call.IdempotencyKey]++
		}
	}
	return counts
}

// Peak is the largest number of calls that were ever open together.
func (s *Server) Peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

// Active is the number of calls that are open now.
func (s *Server) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

type request struct {
	Model          string    `json:"model"`
	Messages       []message `json:"messages"`
	ResponseFormat struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Name   string `json:"name"`
			Strict bool   `json:"strict"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

type content struct {
	text string
	url  string
}

// UnmarshalJSON accepts both of the wire's forms: a string and a list of parts.
func (c *content) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &c.text) == nil {
		return nil
	}
	var parts []struct {
		Text     string `json:"text"`
		ImageURL struct {
			URL string `json:"url"`
		} `json:"image_url"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("reading message content: %w", err)
	}
	for _, part := range parts {
		c.text += part.Text
		c.url += part.ImageURL.URL
	}
	return nil
}

func newCall(r *http.Request, asked request) (*Call, error) {
	call := &Call{
		IdempotencyKey: r.Header.Get("Idempotency-Key"),
		RequestID:      r.Header.Get("X-Request-Id"),
		Authorization:  r.Header.Get("Authorization"),
		Model:          asked.Model,
		Schema:         asked.ResponseFormat.JSONSchema.Name,
		Strict:         asked.ResponseFormat.JSONSchema.Strict,
	}
	users := 0
	for _, m := range asked.Messages {
		switch {
		case m.Role == "system":
			call.System = m.Content.text
		case m.Role == "user" && users == 0:
			users++
			call.Input = m.Content.text
			if err := call.setImage(m.Content.url); err != nil {
				return nil, err
			}
		case m.Role == "user":
			call.Repair = m.Content.text
		}
	}
	return call, nil
}

func (c *Call) setImage(url string) error {
	if url == "" {
		return nil
	}
	encoded, ok := strings.CutPrefix(url, "data:image/jpeg;base64,")
	if !ok {
		return fmt.Errorf("image is no JPEG data URL: %.30s", url)
	}
	image, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return fmt.Errorf("decoding image: %w", err)
	}
	sum := sha256.Sum256(image)
	c.Image, c.ImageSHA256 = image, hex.EncodeToString(sum[:])
	return nil
}
