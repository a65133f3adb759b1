package recycling

import (
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

var (
	errItemNotFound = problem.New(problem.NotFound, "item_not_found", "There is no such item.")
	errInvalid      = problem.New(problem.Invalid, "invalid_parameters", "Some parameters are not valid.")
	errNotLoaded    = problem.New(problem.Unavailable, "rules_not_loaded", "The rules are being loaded.")
)

// filter narrows a list; empty fields match all.
type filter struct {
	Query string
	Class wasteclass.Class
}

// category is a class with its default item and its number of items.
type category struct {
	Class       wasteclass.Class
	Name        rulebase.Text
	DefaultItem string
	Items       int
}
