package standin_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// cloudConfig is what cloud-init reads of a machine's user_data.
type cloudConfig struct {
	Hostname   string   `yaml:"hostname"`
	Keys       []string `yaml:"ssh_authorized_keys"`
	Packages   []string `yaml:"packages"`
	Commands   []string `yaml:"runcmd"`
	WriteFiles []struct {
		Path    string `yaml:"path"`
		Content string `yaml:"content"`
	} `yaml:"write_files"`
	Passwords bool `yaml:"ssh_pwauth"`
}

func (c cloudConfig) file(path string) string {
	for _, f := range c.WriteFiles {
		if f.Path == path {
			return f.Content
		}
	}
	return ""
}

const rulesPath = "/etc/wastecoach/edge.nft"

func TestFirstBoot(t *testing.T) {
	t.Parallel()
	key := fmt.Sprint(variables()["authorized_key"])
	configs := firstBoots(t)
	if len(configs) != 3 {
		t.Errorf("%d machines", len(configs))
	}
	for name, c := range configs {
		if c.Hostname != name || !slices.Equal(c.Keys, []string{key}) || c.Passwords {
			t.Errorf("%s boots with %+v", name, c)
		}
		if edge := name == "demo-worker-1"; (len(c.WriteFiles) > 0) != edge {
			t.Errorf("%s: %d files, and it is the edge: %v", name, len(c.WriteFiles), edge)
		}
	}
	edge := configs["demo-worker-1"]
	for _, command := range edge.Commands {
		words := strings.Fields(command)
		last := words[len(words)-1]
		if !filepath.IsAbs(last) {
			last = "/etc/systemd/system/" + last
		}
		if edge.file(last) == "" {
			t.Errorf("%q names a file that nobody writes", command)
		}
	}
	if !strings.Contains(edge.file("/etc/systemd/system/wastecoach-edge.service"), rulesPath) {
		t.Error("the service loads no rules")
	}
}

func firstBoots(t *testing.T) map[string]cloudConfig {
	t.Helper()
	configs := map[string]cloudConfig{}
	for _, r := range applied(t, variables()) {
		if r.Type != "aws_instance" {
			continue
		}
		text := values{r.AttributeValues}.text("user_data")
		if !strings.HasPrefix(text, "#cloud-config\n") {
			t.Errorf("%s has no cloud-config: %s", r.Address, text)
		}
		var c cloudConfig
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%s: %v\n%s", r.Address, err, text)
		}
		configs[fmt.Sprint(r.Index)] = c
	}
	return configs
}
