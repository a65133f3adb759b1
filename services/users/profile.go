package users

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrInvalid says which values of a request cannot be taken.
var ErrInvalid = problem.New(problem.Invalid, "invalid", "Some values are not as they must be.")

// Profile is what a user tells about themselves.
type Profile struct {
	ID          uuid.UUID `json:"id"`
	DisplayName string    `json:"display_name"`
	// Locale is "ko" or "en".
	Locale string `json:"locale"`
	// HomeRegion is the district whose rules apply, null if unknown.
	HomeRegion *string   `json:"home_region"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

const (
	maxText       = 100
	defaultLocale = "ko"
)

func locales() []string { return []string{"ko", "en"} }

// ProfilePatch is a JSON merge patch (RFC 7396): what is absent stays, null removes.
type ProfilePatch struct {
	DisplayName change `json:"display_name"`
	Locale      change `json:"locale"`
	HomeRegion  change `json:"home_region"`
}

// change is a text that may be absent, null or given.
type change struct {
	given bool
	value *string
}

// UnmarshalJSON is called for values and for null, not for absent fields.
func (c *change) UnmarshalJSON(data []byte) error {
	c.given = true
	return json.Unmarshal(data, &c.value)
}

func (p *ProfilePatch) validate() error {
	faults := p.DisplayName.check("/display_name", nil, freeText)
	faults = p.Locale.check("/locale", faults, func(text string) (code, detail string) {
		if !slices.Contains(locales(), text) {
			return "unknown", `must be "ko" or "en"`
		}
		return "", ""
	})
	if p.HomeRegion.value != nil {
		faults = p.HomeRegion.check("/home_region", faults, freeText)
	}
	if len(faults) > 0 {
		return ErrInvalid.WithFields(faults...)
	}
	return nil
}

// check takes null for a fault and trims the text before it is judged.
func (c *change) check(
	pointer string, faults []problem.Field, judge func(string) (code, detail string),
) []problem.Field {
	if !c.given {
		return faults
	}
	if c.value == nil {
		return append(faults, problem.Field{
			Pointer: pointer, Code: "required", Detail: "cannot be removed",
		})
	}
	trimmed := strings.TrimSpace(*c.value)
	c.value = &trimmed
	if code, detail := judge(trimmed); code != "" {
		return append(faults, problem.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	return faults
}

func freeText(text string) (code, detail string) {
	switch {
	case text == "":
		return "required", "must not be empty"
	case len([]rune(text)) > maxText:
		return "too_long", "has more than 100 characters"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "invalid", "has control characters"
	}
	return "", ""
}

// firstName makes a profile's first display name of what the access token says.
func firstName(name string) string {
	name = strings.TrimSpace(name)
	if _, detail := freeText(name); detail != "" {
		return ""
	}
	return name
}
