// Package cost estimates what a month of a cluster costs, from dated prices that it carries.
package cost

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// HoursPerMonth is what AWS's own calculator takes for a month.
const HoursPerMonth = 730

// Line is one item of the bill.
type Line struct {
	Item string `json:"item"`
	// Quantity is how much of it, in words.
	Quantity string `json:"quantity"`
	// Amount is the number of units a month; unit is "hour" or "GiB-month".
	Amount     float64 `json:"amount"`
	Unit       string  `json:"unit"`
	UnitUSD    float64 `json:"unit_usd"`
	MonthlyUSD float64 `json:"monthly_usd"`
	Trust      Trust   `json:"trust"`
	// Source is where the unit's price was read; SourceDate is that of the source.
	Source     string `json:"source"`
	SourceDate string `json:"source_date"`
}

// Alternative is a change of the file that fits the budget.
type Alternative struct {
	// Change is a key with its value, as the file has it.
	Change     string  `json:"change"`
	MonthlyUSD float64 `json:"monthly_usd"`
}

// Estimate is the bill of a month in US dollars before tax.
type Estimate struct {
	Cluster string      `json:"cluster"`
	Target  spec.Target `json:"target"`
	Region  string      `json:"region,omitempty"`
	// Prices is the date of the price table; it is empty where nothing is bought.
	Prices     string  `json:"prices,omitempty"`
	Lines      []Line  `json:"lines"`
	MonthlyUSD float64 `json:"monthly_usd"`
	// BudgetUSD is 0 where there is none; OverUSD is 0 within it.
	BudgetUSD float64 `json:"budget_usd"`
	OverUSD   float64 `json:"over_usd"`
	// Breaks is the item with which the sum of the lines passes the budget.
	Breaks       string        `json:"breaks,omitempty"`
	Alternatives []Alternative `json:"alternatives"`
	// Notes name what the sum leaves out.
	Notes []string `json:"notes"`
}

// Of estimates a cluster that spec.Load returned. A price that the table does not have is an
// *UnknownError.
func Of(c *spec.Cluster) (Estimate, error) {
	e := Estimate{
		Cluster: c.Metadata.Name, Target: c.Spec.Target, BudgetUSD: c.Spec.Budget.MonthlyUSD,
		Lines: []Line{}, Alternatives: []Alternative{},
	}
	if c.Spec.Target != spec.AWS || c.Spec.AWS == nil {
		e.Notes = []string{nothingBought(c.Spec.Target)}
		return e, nil
	}
	t, err := Prices()
	if err != nil {
		return Estimate{}, err
	}
	e.Region, e.Prices = c.Spec.AWS.Region, t.Date
	if e.Lines, err = t.lines(*c.Spec.AWS); err != nil {
		return Estimate{}, err
	}
	e.MonthlyUSD = total(e.Lines)
	e.Notes = notes(*c.Spec.AWS)
	if e.BudgetUSD > 0 && e.MonthlyUSD > e.BudgetUSD {
		e.OverUSD = cents(e.MonthlyUSD - e.BudgetUSD)
		e.Breaks = breaks(e.Lines, e.BudgetUSD)
		e.Alternatives = t.alternatives(*c.Spec.AWS, e.BudgetUSD)
	}
	return e, nil
}

func nothingBought(target spec.Target) string {
	if target == spec.Local {
		return "Target local buys nothing: the machines are made on this computer."
	}
	return "Target hosts buys nothing: the machines are yours already."
}

// lines begin with what no choice avoids, so that the item that breaks a budget is one to change.
func (t Table) lines(a spec.AWSTarget) ([]Line, error) {
	architecture, err := spec.Architecture(a.InstanceType)
	if err != nil {
		return nil, err
	}
	machine := fmt.Sprintf("× %s (%s)", a.InstanceType, architecture)
	machines := 1 + a.Workers
	lines := make([]Line, 0, 4)
	for _, l := range []struct {
		item, quantity, priced string
		amount                 float64
	}{
		{"public IPv4", "1 address, on the edge worker", itemIPv4, HoursPerMonth},
		{"control plane", "1 " + machine, a.InstanceType, HoursPerMonth},
		{
			"workers", fmt.Sprintf("%d %s", a.Workers, machine), a.InstanceType,
			HoursPerMonth * float64(a.Workers),
		},
		{
			"gp3 volumes", fmt.Sprintf("%d × %d GiB, encrypted", machines, a.VolumeGiB), itemVolume,
			float64(machines * a.VolumeGiB),
		},
	} {
		p, err := t.find(a.Region, l.priced)
		if err != nil {
			return nil, err
		}
		lines = append(lines, Line{
			Item: l.item, Quantity: l.quantity, Amount: l.amount, Unit: p.Unit, UnitUSD: p.USD,
			MonthlyUSD: cents(l.amount * p.USD), Trust: p.Trust,
			Source: t.Sources[p.Source].Title, SourceDate: t.Sources[p.Source].Date,
		})
	}
	return lines, nil
}

// total adds what is shown, so that the table adds up to the cent.
func total(lines []Line) float64 {
	sum := 0.0
	for _, l := range lines {
		sum += l.MonthlyUSD
	}
	return cents(sum)
}

func cents(usd float64) float64 { return math.Round(usd*100) / 100 }

func breaks(lines []Line, budget float64) string {
	sum := 0.0
	for _, l := range lines {
		if sum += l.MonthlyUSD; cents(sum) > budget {
			return l.Item + ": " + l.Quantity
		}
	}
	return ""
}

func notes(a spec.AWSTarget) []string {
	all := []string{
		"S3 is extra: photos stay 30 days, so their space is that of a month's uploads.",
		"Traffic to the internet is extra, and so are snapshots and logs.",
		"Every further public IPv4 address, NAT gateway or load balancer is extra; this makes none.",
	}
	if strings.HasPrefix(a.InstanceType, "t") {
		all = append(all, credits(a.CPUCredits))
	}
	return all
}

// credits tells what long load costs on a T instance.
func credits(mode string) string {
	if mode == "standard" {
		return "CPU credits are standard: load is never billed, but slowed down to the baseline."
	}
	return "CPU credits are unlimited: a day's load above the baseline is billed, on t3 0.05 per vCPU-hour."
}

// alternatives are single changes that fit the budget, the one nearest to it first: it gives away
// least.
func (t Table) alternatives(a spec.AWSTarget, budget float64) []Alternative {
	found := []Alternative{}
	try := func(changed spec.AWSTarget, format string, args ...any) {
		lines, err := t.lines(changed)
		if sum := total(lines); err == nil && sum <= budget {
			found = append(found, Alternative{fmt.Sprintf(format, args...), sum})
		}
	}
	_, size, _ := strings.Cut(a.InstanceType, ".")
	for _, name := range t.Types(a.Region) {
		// Another size has other memory, which is no like for like.
		if strings.HasSuffix(name, "."+size) && name != a.InstanceType {
			changed := a
			changed.InstanceType = name
			try(changed, "instanceType: %s", name)
		}
	}
	if a.VolumeGiB > spec.DefaultVolumeGiB {
		changed := a
		changed.VolumeGiB = spec.DefaultVolumeGiB
		try(changed, "volumeGiB: %d", changed.VolumeGiB)
	}
	for workers := a.Workers - 1; workers >= 1 && len(found) == 0; workers-- {
		changed := a
		changed.Workers = workers
		try(changed, "workers: %d", workers)
	}
	for _, region := range t.Regions() {
		if region != a.Region {
			changed := a
			changed.Region = region
			try(changed, "region: %s", region)
		}
	}
	slices.SortStableFunc(found, func(x, y Alternative) int { return cmp.Compare(y.MonthlyUSD, x.MonthlyUSD) })
	return found
}
