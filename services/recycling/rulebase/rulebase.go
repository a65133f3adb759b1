// Package rulebase holds the Korean rules of separate collection as checked data.
package rulebase

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// layout is part of Version: raise it when the same files are to be stored in another way.
const layout = 2

// Base is the rules of one binary. Version is a hash of all that they say.
type Base struct {
	Version string
	// Items are in the guideline's order: by class, then as written.
	Items []Item
	// Regions are those with rules of their own.
	Regions []Region
}

// Text is a text in both languages.
type Text struct {
	KO string `json:"ko"`
	EN string `json:"en"`
}

// In returns the text in "en", or else in Korean.
func (t Text) In(locale string) string {
	if locale == "en" {
		return t.EN
	}
	return t.KO
}

// Words are synonyms in both languages.
type Words struct {
	KO []string `json:"ko"`
	EN []string `json:"en"`
}

// In returns the words in "en", or else in Korean.
func (w Words) In(locale string) []string {
	if locale == "en" {
		return w.EN
	}
	return w.KO
}

// Step is one thing to do. Advice may leave it out only where it is Optional.
type Step struct {
	ID       string `json:"id"`
	Optional bool   `json:"optional,omitempty"`
	Text
}

// Item is the rule for one kind of thing.
type Item struct {
	ID        string           `json:"id"`
	Class     wasteclass.Class `json:"class"`
	ClassName Text             `json:"class_name"`
	// Default tells that the class's unknown things are treated as this item.
	Default  bool   `json:"default"`
	Name     Text   `json:"name"`
	Synonyms Words  `json:"synonyms"`
	Steps    []Step `json:"steps"`
	Mistakes []Text `json:"mistakes"`
	// NotRecyclable is what keeps a thing of this kind from being recycled.
	NotRecyclable []Text `json:"not_recyclable"`
	Why           Text   `json:"why"`
	Where         Text   `json:"where"`
	// Sources are the texts that the rule rests on, by title.
	Sources []Text `json:"sources"`
}

// Source cites all sources in one line.
func (i Item) Source(locale string) string {
	titles := make([]string, 0, len(i.Sources))
	for _, source := range i.Sources {
		titles = append(titles, source.In(locale))
	}
	return strings.Join(titles, "; ")
}

// Labels are the item's id, names and synonyms, each once, as Label writes them.
func (i Item) Labels() []string {
	words := []string{i.ID, i.Name.EN, i.Name.KO}
	words = append(words, i.Synonyms.EN...)
	words = append(words, i.Synonyms.KO...)
	var labels []string
	seen := map[string]bool{}
	for _, word := range words {
		if label := Label(word); label != "" && !seen[label] {
			seen[label] = true
			labels = append(labels, label)
		}
	}
	return labels
}

// Digest is a short hash of the item: caches of advice on it carry it.
func (i Item) Digest() (string, error) { return digest(i) }

// Label brings "PET Bottle", "pet-bottle" and the like to snake_case; Hangul stays.
func Label(words string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(words), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "_")
}

func digest(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("hashing rules: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}
