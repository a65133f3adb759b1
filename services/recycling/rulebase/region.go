package rulebase

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// Nationwide is the region of rules that hold in the whole country.
const Nationwide = "kr"

// regionStep is the id of the step that a region adds to a rule.
const regionStep = "region_days"

// Region is what a district lays down beyond the national rules.
type Region struct {
	// ID is "kr-" and the district's five digits in the administrative code.
	ID        string     `json:"id"`
	Name      Text       `json:"name"`
	Overrides []Override `json:"overrides"`
	Sources   []Text     `json:"sources"`
}

// Override is when things of some classes are put out. The first one that fits a class holds.
type Override struct {
	Classes []wasteclass.Class `json:"classes"`
	// Days are mon to sun; From and Until are times of the day, Until perhaps of the next one.
	Days  []string `json:"days"`
	From  string   `json:"from"`
	Until string   `json:"until"`
	// Households are those that it holds for.
	Households Text `json:"households"`
}

// Apply returns the item's rule as the region has it.
func (r Region) Apply(item Item) Item {
	for _, o := range r.Overrides {
		if slices.Contains(o.Classes, item.Class) {
			item.Steps = append(slices.Clip(item.Steps), Step{ID: regionStep, Text: o.step(r.Name)})
			item.Sources = append(slices.Clip(item.Sources), r.Sources...)
			return item
		}
	}
	return item
}

var dayNames = map[string]Text{
	"mon": {"월요일", "Monday"}, "tue": {"화요일", "Tuesday"}, "wed": {"수요일", "Wednesday"},
	"thu": {"목요일", "Thursday"}, "fri": {"금요일", "Friday"}, "sat": {"토요일", "Saturday"},
	"sun": {"일요일", "Sunday"},
}

func (o Override) step(region Text) Text {
	var ko, en []string
	for _, day := range o.Days {
		ko, en = append(ko, dayNames[day].KO), append(en, dayNames[day].EN)
	}
	return Text{
		KO: fmt.Sprintf("%s(%s)에서는 %s %s부터 %s 사이에 내놓으세요.",
			region.KO, o.Households.KO, strings.Join(ko, "·"), o.From, o.Until),
		EN: fmt.Sprintf("In %s (%s), put it out on %s between %s and %s.",
			region.EN, o.Households.EN, strings.Join(en, ", "), o.From, o.Until),
	}
}

// Region returns the region of that id, or false for one without rules of its own.
func (b Base) Region(id string) (Region, bool) {
	for _, region := range b.Regions {
		if region.ID == id {
			return region, true
		}
	}
	return Region{}, false
}

// writtenRegion is one region's file. It names its sources by id.
type writtenRegion struct {
	Region
	Sources []string `json:"sources"`
}

func loadRegions(folder fs.FS, sources map[string]Text) ([]Region, error) {
	schema, err := compile(folder, "region.schema.json")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(folder, "regions/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing regions: %w", err)
	}
	var regions []Region
	for _, name := range names {
		var w writtenRegion
		if err := read(folder, name, schema, &w); err != nil {
			return nil, err
		}
		region := w.Region
		if path.Base(name) != region.ID+".yaml" {
			return nil, fmt.Errorf("reading %s: the file is about %s", name, region.ID)
		}
		if region.Sources, err = named(w.Sources, sources); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		regions = append(regions, region)
	}
	return regions, nil
}
