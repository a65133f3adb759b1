package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
)

func machines() fleet.Fleet {
	return fleet.Fleet{{Name: "demo-control-plane"}, {Name: "demo-worker-1"}}
}

// here runs the script on this computer, as if it were the machine.
func here(ctx context.Context, m fleet.Machine, script string) (string, error) {
	if m.Name == "demo-worker-1" {
		return "", fmt.Errorf("asking: %w", &remote.Error{
			Kind: remote.Refused, Host: m.Name, Cause: errors.New("connection refused"), Hint: "ssh -v its-own-way",
		})
	}
	out, err := exec.CommandContext(ctx, "sh", "-c", script).Output()
	return string(out), err
}

func TestCollectGoesOnWithoutAMachine(t *testing.T) {
	t.Parallel()
	c := Collect(t.Context(), Options{Fleet: machines(), Run: here})
	if len(c.Missing) != 1 || c.Missing[0].What != "demo-worker-1" || c.Missing[0].Hint != "ssh -v its-own-way" {
		t.Errorf("missing: %+v", c.Missing)
	}
	found := map[string]string{}
	for _, e := range c.Evidence {
		if e.Machine != "demo-control-plane" || e.At.IsZero() {
			t.Errorf("%s of %q at %s", e.Source, e.Machine, e.At)
		}
		found[e.Source] = e.Text
	}
	for source, want := range map[string]string{
		"facts": "fact clock-offset 0", "system": "Linux", "disk": "Filesystem",
		"memory": "Mem:", "names": "nameserver",
	} {
		if !strings.Contains(found[source], want) {
			t.Errorf("%s holds no %q:\n%s", source, want, found[source])
		}
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	sections, now := parseSections("m", "\n==> facts <==\nfact now 1795457119\n\n==> etcd <==\na\n\n==> kernel <==\n"+
		"\n==> etcd <==\nb\n")
	if now.Unix() != 1795457119 || len(sections) != 2 || strings.Join(strings.Fields(sections[1].Text), "") != "ab" {
		t.Errorf("%+v at %s", sections, now)
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	asked := time.Unix(1000, 500_000_000)
	answered := asked.Add(3 * time.Second)
	for now, want := range map[int64]int{1000: 0, 1002: 0, 1003: 0, 1014: 10, 900: -100} {
		if got := offset(time.Unix(now, 0), asked, answered); got != want {
			t.Errorf("%d: %d, want %d", now, got, want)
		}
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	collection := Collection{
		At: time.Now(),
		Evidence: []Evidence{
			{Machine: "m", Source: "kubelet", Text: redact.Text("join --token abcdef.0123456789abcdef\n")},
			{Source: "events", Text: "x\n"},
			{Source: "wcctl/earlier/1.log", Text: "no space left on device\n"},
		},
		Report: &kube.Report{Conditions: []kube.Condition{{Name: "dns", State: kube.Failing, Message: "0 of 2"}}},
	}
	result := collection.Diagnose()
	if len(result.Findings) != 1 || result.Findings[0].ID != "condition-dns" {
		t.Errorf("%+v", result.Findings)
	}
	var packed bytes.Buffer
	if err := collection.Write(&packed, "doctor", result); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, &packed)
	for name, want := range map[string]string{
		"doctor/findings.json": "condition-dns", "doctor/machines/m/kubelet.txt": "join --token <hidden>",
		"doctor/cluster/events.txt": "x", "doctor/cluster/conditions.json": "0 of 2",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q holds no %q", name, files[name], want)
		}
	}
}

func unpack(t *testing.T, packed io.Reader) map[string]string {
	t.Helper()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(text)
	}
}

func TestRunLogs(t *testing.T) {
	t.Parallel()
	const (
		failure = `12:00:01 event {"kind":"phase_failed","phase":"workers"}` + "\nno space left on device\n"
		success = `12:00:02 event {"kind":"phase_finished","phase":"workers"}` + "\n"
	)
	for title, test := range map[string]struct {
		logs  map[string]string
		found bool
	}{
		"the newest failed":   {map[string]string{"1-up.log": success, "2-up.log": failure}, true},
		"an older one failed": {map[string]string{"1-up.log": failure, "2-up.log": success}, false},
		"it went on":          {map[string]string{"1-up.log": failure + success}, false},
		"there are none":      {nil, false},
	} {
		dir := t.TempDir()
		for name, text := range test.logs {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := Collect(t.Context(), Options{Logs: dir})
		if got := len(c.Diagnose().Findings) > 0; got != test.found {
			t.Errorf("%s: %+v", title, c.Diagnose().Findings)
		}
		if len(c.Evidence) != len(test.logs) {
			t.Errorf("%s: %d logs kept", title, len(c.Evidence))
		}
	}
}
