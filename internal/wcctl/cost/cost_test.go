package cost_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cost"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

var update = flag.Bool("update", false, "rewrite the table in docs/cluster/cost.md")

func cluster(t *testing.T, aws string, budget float64) *spec.Cluster {
	t.Helper()
	c, faults := spec.Check(fmt.Appendf(nil, `apiVersion: wastecoach.io/v1alpha1
kind: Cluster
metadata: {name: c}
spec:
  target: aws
  aws: {apiAllowedCIDRs: [1.2.3.4/32], %s}
  budget: {monthlyUSD: %g}
`, aws, budget), ".", spec.Releases{Default: "1.36.3", Supported: []string{"1.36.3"}})
	if spec.Stops(faults) {
		t.Fatal(faults)
	}
	return c
}

// TestTotals are the sums worked out by hand for three machines, 60 GiB and one address.
func TestTotals(t *testing.T) {
	t.Parallel()
	for aws, want := range map[string]float64{
		"":                         3.65 + 30.37 + 60.74 + 5.47, // Seoul, t4g.medium
		"instanceType: t3a.medium": 3.65 + 34.16 + 68.33 + 5.47,
		"instanceType: t3.medium":  3.65 + 37.96 + 75.92 + 5.47,
		"region: us-east-1, instanceType: t3.medium":      3.65 + 30.37 + 60.74 + 4.80,
		"region: us-east-1":                               3.65 + 24.53 + 49.06 + 4.80,
		"region: us-east-1, workers: 1, volumeGiB: 10":    3.65 + 24.53 + 24.53 + 1.60,
		"region: us-east-1, workers: 100, volumeGiB: 100": 3.65 + 24.53 + 2452.80 + 808,
	} {
		e, err := cost.Of(cluster(t, aws, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.2f", e.MonthlyUSD); got != fmt.Sprintf("%.2f", want) {
			t.Errorf("%s: %s, want %.2f", aws, got, want)
		}
		if e.OverUSD != 0 || e.Breaks != "" || len(e.Alternatives) != 0 {
			t.Errorf("%s: without a budget it is over it: %+v", aws, e)
		}
	}
}

func TestOverBudgetNamesTheItemAndWhatFits(t *testing.T) {
	t.Parallel()
	for aws, want := range map[string]string{
		"": "0.00  []",
		"instanceType: t3a.medium": "6.61 workers: 2 × t3a.medium (amd64) " +
			"[{instanceType: t4g.medium 100.23} {region: us-east-1 90.8}]",
		"instanceType: t3.medium": "18.00 workers: 2 × t3.medium (amd64) " +
			"[{instanceType: t4g.medium 100.23} {region: us-east-1 99.56}]",
		"volumeGiB: 40": "0.70 gp3 volumes: 3 × 40 GiB, encrypted " +
			"[{volumeGiB: 20 100.23} {region: us-east-1 86.84}]",
		"workers: 3":                 "27.42 workers: 3 × t4g.medium (arm64) [{workers: 2 100.23}]",
		"workers: 4, volumeGiB: 100": "96.09 workers: 4 × t4g.medium (arm64) [{workers: 1 82.63}]",
	} {
		e, err := cost.Of(cluster(t, aws, 105))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%.2f %s %v", e.OverUSD, e.Breaks, e.Alternatives); got != want {
			t.Errorf("%s:\n got %s\nwant %s", aws, got, want)
		}
	}
	// A cent counts, and exactly the budget is within it.
	for budget, over := range map[float64]float64{100.23: 0, 100.22: 0.01} {
		if e, err := cost.Of(cluster(t, "", budget)); err != nil || e.OverUSD != over {
			t.Errorf("budget %v: %v over, %v", budget, e.OverUSD, err)
		}
	}
}

func TestUnknownPricesNameTheKnownOnes(t *testing.T) {
	t.Parallel()
	for aws, want := range map[string]string{
		"region: eu-west-1": `the price of region "eu-west-1" is not known; the table of 2026-11-23 has ` +
			"ap-northeast-2, us-east-1",
		"instanceType: m7g.large": `the price of instance type "m7g.large" in ap-northeast-2 is not known; ` +
			"the table of 2026-11-23 has t3.large, t3.medium, t3a.medium, t4g.large, t4g.medium, t4g.small",
	} {
		_, err := cost.Of(cluster(t, aws, 0))
		var unknown *cost.UnknownError
		if !errors.As(err, &unknown) || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", aws, err, want)
		}
	}
}

func TestOtherTargetsBuyNothing(t *testing.T) {
	t.Parallel()
	for _, target := range []spec.Target{spec.Hosts, spec.Local} {
		c := &spec.Cluster{Spec: spec.Spec{Target: target, Budget: spec.Budget{MonthlyUSD: 1}}}
		e, err := cost.Of(c)
		if err != nil || len(e.Lines) > 0 || e.MonthlyUSD != 0 || len(e.Notes) != 1 {
			t.Errorf("%s: %+v, %v", target, e, err)
		}
	}
}

// TestThePriceTableIsWhole: each price has a source, and its trust is what the source allows.
func TestThePriceTableIsWhole(t *testing.T) {
	t.Parallel()
	table, err := cost.Prices()
	if err != nil {
		t.Fatal(err)
	}
	gathered := day(t, table.Date)
	seen := map[string]bool{}
	for _, p := range table.Prices {
		source, ok := table.Sources[p.Source]
		if !ok {
			t.Errorf("%s in %s has no source", p.Item, p.Region)
			continue
		}
		age := gathered.Sub(day(t, source.Date))
		switch year := 365 * 24 * time.Hour; {
		case seen[p.Region+p.Item]:
			t.Errorf("%s in %s has two prices", p.Item, p.Region)
		case p.USD <= 0 || p.USD > 10:
			t.Errorf("%s in %s costs %v", p.Item, p.Region, p.USD)
		case age < 0:
			t.Errorf("%s is younger than the table", p.Source)
		case p.Trust == cost.Verified && age > year, p.Trust == cost.Old && age <= year:
			t.Errorf("%s in %s is not %s", p.Item, p.Region, p.Trust)
		case (p.Trust == cost.Inferred) != (p.Why != ""):
			t.Errorf("%s in %s does not tell why", p.Item, p.Region)
		case p.Trust != cost.Verified && p.Trust != cost.Old && p.Trust != cost.Inferred && p.Trust != cost.Reported:
			t.Errorf("%s in %s has the unknown trust %q", p.Item, p.Region, p.Trust)
		}
		seen[p.Region+p.Item] = true
	}
	for _, region := range table.Regions() {
		if !seen[region+"gp3"] || !seen[region+"public-ipv4"] {
			t.Errorf("%s cannot be estimated", region)
		}
	}
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	tableBegin = "<!-- go test ./internal/wcctl/cost -update writes what follows -->\n"
	tableEnd   = "<!-- until here -->\n"
)

// TestThePageHasThePrices keeps the table in docs/cluster/cost.md.
func TestThePageHasThePrices(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "docs", "cluster", "cost.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !ok || !ended {
		t.Fatalf("%s has lost the marks of its table", path)
	}
	table, err := cost.Prices()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Gathered on %s.\n\n| region | item | US dollars | trust | source |\n|---|---|---|---|---|\n",
		table.Date)
	for _, p := range table.Prices {
		source := table.Sources[p.Source]
		text := fmt.Sprintf("%s: %s", source.Date, source.Title)
		if p.Why != "" {
			text += "; " + p.Why
		}
		fmt.Fprintf(&b, "| %s | %s | %g per %s | %s | %s |\n", p.Region, p.Item, p.USD, p.Unit, p.Trust, text)
	}
	want := before + tableBegin + b.String() + tableEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(page) != want {
		t.Errorf("%s is out of date: go test ./internal/wcctl/cost -update", path)
	}
}
