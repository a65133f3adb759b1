package attack

import (
	"crypto/rand"
	"maps"
	"math"
	"regexp/syntax"
	"slices"
	"strings"
)

// sample returns a value that the schema allows; own knows what names may stand for.
func (d document) sample(schema object, name string, own *things) any {
	if known := own.named(name); known != "" {
		return known
	}
	for _, word := range []string{"const", "example", "default"} {
		if v, ok := schema[word]; ok {
			return v
		}
	}
	for _, word := range []string{"enum", "examples"} {
		if list, _ := schema[word].([]any); len(list) > 0 {
			return list[0]
		}
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		if list, _ := schema[word].([]any); len(list) > 0 {
			return d.sample(d.merged(word, list), name, own)
		}
	}
	switch typeOf(schema) {
	case "object":
		return d.sampleObject(schema, own)
	case "array":
		return []any{d.sample(d.resolve(schema["items"]), "", own)}
	case "integer", "number":
		return sampleNumber(schema)
	case "boolean":
		return true
	default:
		return sampleText(schema)
	}
}

func (d document) merged(word string, list []any) object {
	if word != "allOf" {
		return d.resolve(list[0])
	}
	all, properties := object{"type": "object"}, object{}
	for _, part := range list {
		part := d.resolve(part)
		maps.Copy(all, part)
		within, _ := part["properties"].(object)
		maps.Copy(properties, within)
	}
	all["properties"] = properties
	return all
}

// typeOf takes the first of several types that is not null.
func typeOf(schema object) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, one := range t {
			if name, _ := one.(string); name != "null" {
				return name
			}
		}
	}
	if _, ok := schema["properties"]; ok {
		return "object"
	}
	return "string"
}

func (d document) sampleObject(schema object, own *things) object {
	value := object{}
	properties, _ := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		value[name] = d.sample(d.resolve(properties[name]), name, own)
	}
	return value
}

func sampleNumber(schema object) any {
	low, ok := schema["minimum"].(float64)
	if !ok {
		low = 1
	}
	if high, ok := schema["maximum"].(float64); ok && typeOf(schema) == "number" {
		return (low + high) / 2
	}
	return math.Ceil(low)
}

func sampleText(schema object) string {
	switch schema["format"] {
	case "uuid":
		return "01900000-0000-7000-8000-000000000000"
	case "date-time":
		return "2026-01-02T03:04:05Z"
	case "date":
		return "2026-01-02"
	case "uri":
		return "http://127.0.0.1/login"
	}
	if pattern, ok := schema["pattern"].(string); ok {
		return matching(pattern)
	}
	text := rand.Text()[:8]
	if low, _ := schema["minLength"].(float64); int(low) > len(text) {
		text = strings.Repeat("a", int(low))
	}
	if high, ok := schema["maxLength"].(float64); ok && int(high) < len(text) {
		text = text[:int(high)]
	}
	return text
}

// matching returns a text that a regular expression takes.
func matching(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	write(&b, re)
	return b.String()
}

func write(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpRepeat:
		for range re.Min {
			write(b, re.Sub[0])
		}
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		write(b, re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			write(b, sub)
		}
	default: // what may be empty is, and anchors are
	}
}

// oneOf prefers a plain letter or digit out of pairs of bounds.
func oneOf(bounds []rune) rune {
	for _, plain := range "a0A" {
		for i := 0; i+1 < len(bounds); i += 2 {
			if bounds[i] <= plain && plain <= bounds[i+1] {
				return plain
			}
		}
	}
	return bounds[0]
}
