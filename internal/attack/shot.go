package attack

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// shot is one request.
type shot struct {
	operation
	// what says what is hostile about it.
	what   string
	method string
	// segments and query are escaped on their way; rawQuery comes after them as it is.
	segments map[string]string
	// rawSegments are sent as they are.
	rawSegments bool
	query       url.Values
	rawQuery    string
	header      http.Header
	// value is the body's JSON; raw, where not nil, is sent in its place.
	value any
	raw   []byte
	// closed tells that an answer below 400 lets somebody in who must stay out.
	closed bool
}

// good returns a request that fits the document.
func (o operation) good(own *things) shot {
	s := shot{
		operation: o, method: o.method, segments: map[string]string{}, query: url.Values{},
		header: http.Header{},
	}
	for _, p := range o.parameters {
		switch {
		case p.in == "path":
			prefix, _, _ := strings.Cut(o.path, "{"+p.name+"}")
			if s.segments[p.name] = own.below(prefix, p.name); s.segments[p.name] == "" {
				s.segments[p.name] = plain(o.sample(p.schema, p.name, own))
			}
		case !p.required:
		case p.in == "query":
			s.query.Set(p.name, plain(o.sample(p.schema, p.name, own)))
		case p.name == "Idempotency-Key":
			s.header.Set(p.name, rand.Text())
		case p.in == "header":
			s.header.Set(p.name, plain(o.sample(p.schema, p.name, own)))
		}
	}
	if o.body != nil {
		s.value = o.sample(o.body, "", own)
		s.header.Set("Content-Type", "application/json")
	}
	return s
}

// plain writes a value as parameters are written.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		words := make([]string, len(v))
		for i, item := range v {
			words[i] = plain(item)
		}
		return strings.Join(words, ",")
	default:
		return fmt.Sprint(v)
	}
}

// target is what stands in the request's first line.
func (s shot) target() string {
	target := s.path
	for name, value := range s.segments {
		if !s.rawSegments {
			value = url.PathEscape(value)
		}
		target = strings.ReplaceAll(target, "{"+name+"}", value)
	}
	query := s.query.Encode()
	if s.rawQuery != "" {
		query = strings.TrimPrefix(query+"&"+s.rawQuery, "&")
	}
	if query != "" {
		target += "?" + query
	}
	return target
}

func (s shot) payload() ([]byte, error) {
	if s.raw != nil || s.value == nil {
		return s.raw, nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s.value); err != nil {
		return nil, fmt.Errorf("encoding a body (%s): %w", s.what, err)
	}
	return out.Bytes(), nil
}

const shown = 300

// String is for people who want to send it again.
func (s shot) String() string {
	payload, err := s.payload()
	if err != nil {
		return err.Error()
	}
	header := s.header.Clone()
	if strings.HasPrefix(header.Get("Authorization"), "Bearer ey") {
		header.Set("Authorization", "a token") // long, and somebody's
	}
	line := fmt.Sprintf("%s %s [%s] %v %q", s.method, s.target(), s.what, header, payload)
	if len(line) > shown {
		line = line[:shown] + "…"
	}
	return line
}

// mentions tells whether the request itself has a text, which answers may then repeat.
func (s shot) mentions(text string, payload []byte) bool {
	return strings.Contains(s.target(), text) || bytes.Contains(payload, []byte(text)) ||
		strings.Contains(fmt.Sprint(s.header), text)
}
