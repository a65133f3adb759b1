package attack

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxStrange bounds how many of the victim's ids are tried in one place.
const maxStrange = 12

// shots lists everything that an operation is asked.
func (o operation) shots(own *things, victim person, token string) []shot {
	p := planner{operation: o, own: own, victim: victim, token: token}
	p.add("good", func(*shot) {})
	p.doors()
	p.strange()
	p.pathAndQuery()
	p.headers()
	p.bodies()
	return p.list
}

// person is what the plan knows of the victim.
type person struct {
	token string
	ids   []string
}

type planner struct {
	operation
	own    *things
	victim person
	token  string
	list   []shot
}

// add plans a good request with one change.
func (p *planner) add(what string, change func(*shot)) {
	s := p.good(p.own)
	s.what = what
	s.header.Set("Authorization", "Bearer "+p.token)
	change(&s)
	p.list = append(p.list, s)
}

// doors tries to get in without a token that is good.
func (p *planner) doors() {
	for what, value := range forged(p.token, p.victim.token) {
		p.add("token "+what, func(s *shot) {
			s.header.Set("Authorization", value)
			if value == "" {
				s.header.Del("Authorization")
			}
			s.closed = s.secured
		})
	}
}

// forged makes values of Authorization out of one user's token and another's.
func forged(token, victim string) map[string]string {
	tokens := map[string]string{
		"none": "", "no value": "Bearer", "empty": "Bearer ", "null": "Bearer null",
		"basic": "Basic ZGV2OmRldg==", "dots": "Bearer ..", "garbage": "Bearer a.b.c",
		"huge": "Bearer " + strings.Repeat("A", 8<<10), "bytes": "Bearer \xff\xfe\x80",
		"SQL": "Bearer ' OR '1'='1", "no scheme": token, "twice": "Bearer " + token + " " + token,
	}
	mine, his := strings.Split(token, "."), strings.Split(victim, ".")
	if len(mine) != 3 || len(his) != 3 {
		return tokens
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	tokens["another's claims"] = "Bearer " + mine[0] + "." + his[1] + "." + mine[2]
	tokens["alg none"] = "Bearer " + none + "." + his[1] + "."
	tokens["no signature"] = "Bearer " + mine[0] + "." + mine[1] + "."
	tokens["cut"] = "Bearer " + token[:len(token)-8]
	return tokens
}

// strange asks for the victim's things, with the other user's token and with none.
func (p *planner) strange() {
	ids := p.victim.ids[:min(len(p.victim.ids), maxStrange)]
	for _, id := range ids {
		for _, parameter := range p.parameters {
			if parameter.in != "path" {
				continue
			}
			p.add("another's id", func(s *shot) { s.segments[parameter.name], s.closed = id, s.secured })
			p.add("another's id, no token", func(s *shot) {
				s.segments[parameter.name], s.closed = id, s.secured
				s.header.Del("Authorization")
			})
		}
		for _, at := range places(p.good(p.own).value, nil) {
			if !p.isUUID(at) {
				continue
			}
			p.add("another's id in the body", func(s *shot) {
				put(s.value, at, quote(id))
				s.closed = s.secured
			})
		}
	}
}

// isUUID tells whether the property at the first level of the body is a UUID.
func (p *planner) isUUID(at []string) bool {
	properties, _ := p.body["properties"].(object)
	return len(at) == 1 && p.resolve(properties[at[0]])["format"] == "uuid"
}

func (p *planner) pathAndQuery() {
	for _, parameter := range p.parameters {
		for _, text := range texts {
			switch parameter.in {
			case "path":
				p.add("path", func(s *shot) { s.segments[parameter.name] = text })
			case "query":
				p.add("query", func(s *shot) { s.query.Set(parameter.name, text) })
			}
		}
		if parameter.in == "query" {
			p.add("query twice", func(s *shot) {
				s.rawQuery = parameter.name + "=1&" + parameter.name + "=2&" + parameter.name + "[]=3"
			})
		}
	}
	for _, raw := range rawSegments {
		if strings.Contains(p.path, "{") {
			p.add("raw path", func(s *shot) {
				s.rawSegments = true
				for name := range s.segments {
					s.segments[name] = raw
				}
			})
		}
		p.add("raw end", func(s *shot) { s.operation.path += "/" + raw })
	}
	for _, raw := range rawQueries {
		p.add("raw query", func(s *shot) { s.rawQuery = raw })
	}
}

func (p *planner) headers() {
	for _, parameter := range p.parameters {
		if parameter.in != "header" {
			continue
		}
		for _, text := range texts {
			if sendable(text) {
				p.add("header", func(s *shot) { s.header.Set(parameter.name, text) })
			}
		}
		p.add("header twice", func(s *shot) { s.header[http.CanonicalHeaderKey(parameter.name)] = []string{"a", "b"} })
		p.add("no header", func(s *shot) { s.header.Del(parameter.name) })
	}
	for _, line := range oddHeaders {
		p.add("odd header", func(s *shot) { s.header.Set(line[0], line[1]) })
	}
	for _, method := range oddMethods {
		if !slices.Contains(p.taken, method) {
			p.add("odd method", func(s *shot) { s.method = method })
		}
	}
}

// sendable tells whether net/http sends a text as a header's value.
func sendable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func (p *planner) bodies() {
	if p.body == nil {
		p.add("body that nobody takes", func(s *shot) { s.raw = []byte(`{"a":1}`) })
		return
	}
	for _, at := range places(p.good(p.own).value, nil) {
		where := "body /" + strings.Join(at, "/")
		for _, text := range texts {
			p.add(where, func(s *shot) { put(s.value, at, quote(text)) })
		}
		for _, value := range values {
			p.add(where, func(s *shot) { put(s.value, at, json.RawMessage(value)) })
		}
		p.add(where+" is missing", func(s *shot) { put(s.value, at, nil) })
	}
	for what, raw := range rawBodies {
		p.add(what, func(s *shot) { s.raw = []byte(raw) })
	}
	p.add("one name twice", func(s *shot) { s.raw = doubled(s) })
	p.add("unknown name", func(s *shot) { put(s.value, []string{"is_admin"}, json.RawMessage("true")) })
	for _, media := range oddMedia {
		p.add("content type", func(s *shot) { s.header.Set("Content-Type", media) })
	}
}

// doubled repeats the whole inside of an object, so that each name is there twice.
func doubled(s *shot) []byte {
	payload, err := s.payload()
	inside, ok := strings.CutPrefix(strings.TrimSpace(string(payload)), "{")
	if err != nil || !ok || inside == "}" {
		return payload
	}
	return []byte("{" + strings.TrimSuffix(inside, "}") + "," + inside)
}

// places lists the way to everything inside a JSON value.
func places(v any, at []string) [][]string {
	var all [][]string
	switch v := v.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			way := append(slices.Clone(at), name)
			all = append(append(all, way), places(v[name], way)...)
		}
	case []any:
		for i, item := range v {
			way := append(slices.Clone(at), strconv.Itoa(i))
			all = append(append(all, way), places(item, way)...)
		}
	}
	return all
}

// put replaces what is somewhere inside a JSON value; nil removes a property.
func put(v any, at []string, value json.RawMessage) {
	for len(at) > 1 {
		switch within := v.(type) {
		case object:
			v = within[at[0]]
		case []any:
			i, _ := strconv.Atoi(at[0])
			v = within[i]
		}
		at = at[1:]
	}
	switch within := v.(type) {
	case object:
		if within[at[0]] = value; value == nil {
			delete(within, at[0])
		}
	case []any:
		i, _ := strconv.Atoi(at[0])
		if within[i] = value; value == nil {
			within[i] = json.RawMessage("null")
		}
	}
}
