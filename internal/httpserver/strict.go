package httpserver

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// maxDepth is far beyond any body of ours. encoding/json itself gives up at 10,000 only.
const maxDepth = 16

var (
	errNotUTF8 = errMalformed.Detailf("The body is not UTF-8.")
	errTooDeep = errMalformed.Detailf("The body is nested deeper than %d levels.", maxDepth)
)

// checkShape refuses what encoding/json takes in silence: a name that stands twice, as whoever looks
// at the same bytes before us may read the other one; a name in other letters than ours, which it
// takes for the same; bytes that it replaces. What is no JSON at all is left to the decoder.
func checkShape(body []byte) error {
	if !utf8.Valid(body) {
		return errNotUTF8
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var s shape
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil //nolint:nilerr // the decoder after us says it better
		}
		if err := s.see(token); err != nil {
			return err
		}
	}
}

// shape is where in a value a walk is: one level for each object and array that is open.
type shape struct{ levels []level }

type level struct {
	// names are those that an object has had; nil in an array.
	names map[string]bool
	// named tells that the next token is the value of a name.
	named bool
}

func (s *shape) see(token json.Token) error {
	switch token := token.(type) {
	case json.Delim:
		return s.delimit(token)
	case string:
		if top := s.top(); top != nil && top.names != nil && !top.named {
			top.named = true
			return top.name(token)
		}
	}
	s.valueEnds()
	return nil
}

func (s *shape) delimit(d json.Delim) error {
	switch d {
	case '{':
		s.levels = append(s.levels, level{names: map[string]bool{}})
	case '[':
		s.levels = append(s.levels, level{})
	default:
		s.levels = s.levels[:len(s.levels)-1]
		s.valueEnds()
	}
	if len(s.levels) > maxDepth {
		return errTooDeep
	}
	return nil
}

func (s *shape) top() *level {
	if len(s.levels) == 0 {
		return nil
	}
	return &s.levels[len(s.levels)-1]
}

func (s *shape) valueEnds() {
	if top := s.top(); top != nil {
		top.named = false
	}
}

func (l *level) name(name string) error {
	switch {
	case l.names[name]:
		return errMalformed.Detailf("A field stands twice in the body.").WithFields(problem.Field{
			Pointer: "/" + escape.Replace(name), Code: "duplicate_field", Detail: "stands here twice",
		})
	case strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf || 'A' <= r && r <= 'Z' }):
		return unknownField(name)
	}
	l.names[name] = true
	return nil
}

func unknownField(name string) error {
	return errMalformed.Detailf("The body has an unknown field.").WithFields(problem.Field{
		Pointer: "/" + escape.Replace(name), Code: "unknown_field", Detail: "is not known here",
	})
}
