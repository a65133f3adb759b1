package standin_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/testprogram"
)

// cloudConfig is what cloud-init reads of a machine's user_data.
type cloudConfig struct {
	Hostname   string   `yaml:"hostname"`
	Keys       []string `yaml:"ssh_authorized_keys"`
	Commands   []any    `yaml:"runcmd"`
	WriteFiles []struct {
		Path        string `yaml:"path"`
		Content     string `yaml:"content"`
		Permissions string `yaml:"permissions"`
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

const (
	rulesPath  = "/etc/wastecoach/edge.nft"
	edgeScript = "/usr/local/sbin/wastecoach-edge"
	wayOut     = "/usr/local/sbin/wastecoach-way-out"
)

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
		for _, f := range c.WriteFiles {
			if script := strings.HasPrefix(f.Content, "#!"); script != (f.Permissions == "0755") {
				t.Errorf("%s: %s has the mode %q", name, f.Path, f.Permissions)
			}
		}
		want := []any{[]any{wayOut, "ssm.ap-northeast-2.amazonaws.com", "443", "900"}}
		if name == "demo-worker-1" {
			want = []any{edgeScript}
		}
		if !reflect.DeepEqual(c.Commands, want) {
			t.Errorf("%s runs %v, want %v", name, c.Commands, want)
		}
	}
	checkFiles(t, configs["demo-control-plane"], wayOut)
	checkFiles(t, configs["demo-worker-2"], wayOut)
	edge := configs["demo-worker-1"]
	const service = "/etc/systemd/system/wastecoach-edge.service"
	checkFiles(t, edge, edgeScript, rulesPath, service, "/etc/sysctl.d/60-wastecoach-edge.conf")
	if !strings.Contains(edge.file(service), rulesPath) {
		t.Error("the service loads no rules")
	}
}

func checkFiles(t *testing.T, c cloudConfig, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if c.file(path) == "" {
			t.Errorf("%s does not get %s", c.Hostname, path)
		}
	}
	if len(c.WriteFiles) != len(paths) {
		t.Errorf("%s gets %d files, want %d", c.Hostname, len(c.WriteFiles), len(paths))
	}
}

// boot is a machine's first boot on this computer: its script, with programs that stand in for what
// it must not reach here and that write down how they were called.
type boot struct {
	t    *testing.T
	path string
	log  string
}

func newBoot(t *testing.T, programs map[string]string) *boot {
	t.Helper()
	b := &boot{t: t, path: t.TempDir(), log: filepath.Join(t.TempDir(), "calls")}
	for name, script := range programs {
		text := fmt.Sprintf("#!/bin/sh\necho %s \"$@\" >>%s\n%s\n", name, b.log, script)
		testprogram.Write(t, filepath.Join(b.path, name), text)
	}
	return b
}

// start runs a script; path is where it finds more programs than its stand-ins.
func (b *boot) start(script, path string, arguments ...string) *exec.Cmd {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "script")
	testprogram.Write(b.t, name, script)
	cmd := exec.CommandContext(b.t.Context(), name, arguments...)
	cmd.Env = []string{"PATH=" + b.path + path}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd
}

func (b *boot) calls() string {
	b.t.Helper()
	calls, err := os.ReadFile(b.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(calls)
}

// TestWayOut: a machine behind the edge waits until there is a way, then restarts an agent that is
// not connected, and leaves one that is.
func TestWayOut(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(module, "templates", "way-out.sh"))
	if err != nil {
		t.Fatal(err)
	}
	const restart = "systemctl restart snap.amazon-ssm-agent.amazon-ssm-agent.service\n"
	tests := map[string]struct {
		ss       string
		patience string
		open     bool
		restarts bool
	}{
		"not connected": {ss: "true", patience: "600", open: true, restarts: true},
		"connected":     {ss: `echo 'users:(("ssm-agent-worke",pid=7,fd=9))'`, patience: "600", open: true},
		"no way at all": {ss: "true", patience: "0", restarts: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := listener.Addr().String()
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			_ = listener.Close()
			b := newBoot(t, map[string]string{
				"ss": test.ss, "systemctl": "",
				// The first time there is no way yet.
				"sleep": "",
			})
			cmd := b.start(string(script), ":/usr/bin:/bin", "127.0.0.1", port, test.patience)
			if test.open {
				b.await("sleep 2\n")
				listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp4", address)
				if err != nil {
					t.Fatal(err)
				}
				defer listener.Close()
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, b.calls())
			}
			if restarted := strings.Contains(b.calls(), restart); restarted != test.restarts {
				t.Errorf("restarted: %v, want %v\n%s", restarted, test.restarts, b.calls())
			}
		})
	}
}

// await waits until a program was called so.
func (b *boot) await(call string) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !strings.Contains(b.calls(), call) {
		select {
		case <-tick.C:
		case <-end:
			b.t.Fatalf("%q was not called:\n%s", call, b.calls())
		}
	}
}

// TestEdgeScript: the edge installs nft where it is missing, however often that fails at first, and
// switches its service on only then.
func TestEdgeScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join(module, "templates", "edge.sh"))
	if err != nil {
		t.Fatal(err)
	}
	const end = "sysctl --load /etc/sysctl.d/60-wastecoach-edge.conf\n" +
		"systemctl daemon-reload\nsystemctl enable --now wastecoach-edge.service\n"
	const update = "apt-get -qq -o DPkg::Lock::Timeout=60 update\n"
	const install = "apt-get -qq -y -o DPkg::Lock::Timeout=60 install --no-install-recommends nftables\n"
	const installs = `[ "$4" = update ] || { printf '#!/bin/sh' >${0%/*}/nft; /bin/chmod +x ${0%/*}/nft; }`
	const fails = `[ -e ${0%/*}/tried ] || { : >${0%/*}/tried; exit 100; }`
	tests := map[string]struct{ aptGet, want string }{
		"there":               {"", end},
		"missing":             {installs, update + install + end},
		"no network at first": {fails + "\n" + installs, update + "sleep 5\n" + update + install + end},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			programs := map[string]string{
				"apt-get": test.aptGet, "sysctl": "", "systemctl": "", "sleep": "",
			}
			if name == "there" {
				programs["nft"] = ""
			}
			b := newBoot(t, programs)
			if err := b.start(string(script), "").Wait(); err != nil || b.calls() != test.want {
				t.Errorf("%v, calls\n%s\nwant\n%s", err, b.calls(), test.want)
			}
		})
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
