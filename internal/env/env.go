// Package env fills configuration structs from environment variables.
package env

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Secret is a value that prints and logs masked.
type Secret string

// String masks the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "******"
}

// GoString masks the value in %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue masks the value in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the value in JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// Load fills the tagged struct from environ ("KEY=value" lines), every key with prefix before it.
// KEY_FILE names a file that holds KEY's value; setting both is an error.
func Load(into any, prefix string, environ []string) error {
	vars, err := withFiles(env.ToMap(environ), prefix)
	if err != nil {
		return err
	}
	opts := env.Options{Environment: vars, Prefix: prefix}
	if err := env.ParseWithOptions(into, opts); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	return nil
}

func withFiles(vars map[string]string, prefix string) (map[string]string, error) {
	for key, path := range vars {
		name, isFile := strings.CutSuffix(key, "_FILE")
		if !isFile || !strings.HasPrefix(key, prefix) || path == "" {
			continue
		}
		if vars[name] != "" {
			return nil, fmt.Errorf("%s and %s are both set: keep one", name, key)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", key, err)
		}
		vars[name] = strings.TrimRight(string(content), "\r\n")
	}
	return vars, nil
}
