package cost

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Trust is how a price is known; prices.yaml explains the words.
type Trust string

// The kinds of trust, the best first.
const (
	Verified Trust = "verified"
	Reported Trust = "reported"
	Old      Trust = "old"
	Inferred Trust = "inferred"
)

// Items that are no instance type.
const (
	itemVolume = "gp3"
	itemIPv4   = "public-ipv4"
)

// Price is what one unit of an item costs in a region.
type Price struct {
	Region string `yaml:"region"`
	Item   string `yaml:"item"`
	// Unit is hour or GiB-month.
	Unit string  `yaml:"unit"`
	USD  float64 `yaml:"usd"`
	// Source is a key of the table's sources.
	Source string `yaml:"source"`
	Trust  Trust  `yaml:"trust"`
	// Why tells how an inferred price was computed.
	Why string `yaml:"why"`
}

// Source is where prices were read.
type Source struct {
	// Date is that of the source, as 2006-01-02.
	Date  string `yaml:"date"`
	Title string `yaml:"title"`
}

// Table is the embedded price list.
type Table struct {
	// Date is when it was gathered, as 2006-01-02.
	Date    string            `yaml:"date"`
	Sources map[string]Source `yaml:"sources"`
	Prices  []Price           `yaml:"prices"`
}

//go:embed prices.yaml
var embedded []byte

// Prices reads the embedded price list.
func Prices() (Table, error) {
	var t Table
	decoder := yaml.NewDecoder(bytes.NewReader(embedded))
	decoder.KnownFields(true)
	if err := decoder.Decode(&t); err != nil {
		return Table{}, fmt.Errorf("reading the embedded prices: %w", err)
	}
	return t, nil
}

// UnknownError is a region or an instance type without a price in the table.
type UnknownError struct {
	// What is "region" or "instance type".
	What, Name string
	// Region is empty when it is the unknown.
	Region string
	Known  []string
	Date   string
}

// Error implements error.
func (e *UnknownError) Error() string {
	place := ""
	if e.Region != "" {
		place = " in " + e.Region
	}
	return fmt.Sprintf("the price of %s %q%s is not known; the table of %s has %s",
		e.What, e.Name, place, e.Date, strings.Join(e.Known, ", "))
}

// find returns the price of an item.
func (t Table) find(region, item string) (Price, error) {
	for _, p := range t.Prices {
		if p.Region == region && p.Item == item {
			return p, nil
		}
	}
	if regions := t.Regions(); !slices.Contains(regions, region) {
		return Price{}, &UnknownError{What: "region", Name: region, Known: regions, Date: t.Date}
	}
	return Price{}, &UnknownError{
		What: "instance type", Name: item, Region: region, Known: t.Types(region), Date: t.Date,
	}
}

// Regions are those with prices, sorted.
func (t Table) Regions() []string {
	var regions []string
	for _, p := range t.Prices {
		regions = append(regions, p.Region)
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// Types are the instance types with a price in region, sorted.
func (t Table) Types(region string) []string {
	var types []string
	for _, p := range t.Prices {
		if p.Region == region && p.Item != itemVolume && p.Item != itemIPv4 {
			types = append(types, p.Item)
		}
	}
	slices.Sort(types)
	return types
}
