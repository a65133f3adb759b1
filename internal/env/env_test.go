package env_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/env"
)

type config struct {
	Addr string     `env:"HTTP_ADDR" envDefault:":8080"`
	Key  env.Secret `env:"KEY"`
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		environ []string
		want    config
		wantErr string
	}{
		"defaults":  {nil, config{Addr: ":8080"}, ""},
		"from file": {[]string{"WASTE_KEY_FILE=" + file}, config{":8080", "hunter2"}, ""},
		"both": {
			[]string{"WASTE_KEY_FILE=" + file, "WASTE_KEY=x"},
			config{},
			"WASTE_KEY and WASTE_KEY_FILE are both set",
		},
		"missing file": {[]string{"WASTE_KEY_FILE=/nowhere"}, config{}, "reading WASTE_KEY_FILE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got config
			err := env.Load(&got, "WASTE_", tt.environ)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("got %+v %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	c := config{Key: "hunter2"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Key), string(asJSON)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret shows in %s", text)
		}
	}
}
