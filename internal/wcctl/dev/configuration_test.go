package dev_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"github.com/wastecoach/wastecoach/services/auth"
	"github.com/wastecoach/wastecoach/services/locations"
	"github.com/wastecoach/wastecoach/services/recycling"
	"github.com/wastecoach/wastecoach/services/users"
	"github.com/wastecoach/wastecoach/services/waste"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

// TestConfigurationPage holds docs/configuration.md and the services' Config structs together.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	page := filepath.Join("..", "..", "..", "docs", "configuration.md")
	want := configurationPage(t)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not what the services read: " +
			"go test ./internal/wcctl/dev -run Configuration -update")
	}
}

const configurationHead = `# Configuration

Every service reads environment variables that begin with its name, and LOG_LEVEL (debug, info,
warn, error). KEY_FILE names a file that holds KEY's value: use it for secrets. What each variable
means stands beside its field in the service's ` + "`config.go`" + ` and in the packages named there. Traces are
exported when OTEL_EXPORTER_OTLP_ENDPOINT is set.

` + "`wcctl dev env SERVICE`" + ` prints the variables that a running development stack gives a service.

This page is written by ` + "`go test ./internal/wcctl/dev -run Configuration -update`" + `.
`

func configurationPage(t *testing.T) string {
	t.Helper()
	var page strings.Builder
	page.WriteString(configurationHead)
	for _, service := range []struct {
		name   string
		config any
	}{
		{"auth", &auth.Config{}},
		{"users", &users.Config{}},
		{"waste", &waste.Config{}},
		{"recycling", &recycling.Config{}},
		{"locations", &locations.Config{}},
	} {
		fields, err := env.GetFieldParamsWithOptions(service.config,
			env.Options{Prefix: strings.ToUpper(service.name) + "_"})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&page, "\n## %s\n| variable | default |\n|---|---|\n", service.name)
		for _, f := range fields {
			fallback := "`" + f.DefaultValue + "`"
			switch {
			case f.Required || f.NotEmpty:
				fallback = "required"
			case f.DefaultValue == "":
				fallback = "none"
			}
			fmt.Fprintf(&page, "| `%s` | %s |\n", f.Key, fallback)
		}
	}
	return page.String()
}
