package preflight

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// here is this computer as a machine: the script runs in a shell of it.
type here struct{ shell []string }

func (here) Machine() fleet.Machine { return fleet.Machine{Name: "here", Address: "127.0.0.1"} }
func (here) SSHCommand() string     { return "ssh here" }

func (h here) Output(ctx context.Context, command string, stdin io.Reader) (string, error) {
	command = strings.Replace(command, "sh -s", strings.Join(h.shell, " ")+" -s", 1)
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(out), nil
}

func TestProbeThisComputer(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the script asks Linux")
	}
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash"}, {"busybox", "sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell[0]); err != nil {
				t.Skip(shell[0] + " is not here")
			}
			f, err := Probe(t.Context(), here{shell})
			if err != nil {
				t.Fatal(err)
			}
			hostname, err := os.Hostname()
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine.Name != "here" || f.Login != "ssh here" || f.Hostname != hostname ||
				goArchitecture(f.Architecture) != runtime.GOARCH || f.CPUs < runtime.NumCPU() ||
				f.MemoryKB == 0 || len(f.Disks) != 2 || f.Disks[1].FreeKB == 0 || f.Skew != 0 ||
				f.Kernel == "" || len(f.Modules) != 5 {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestParseRefusesWhatIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"", `{"time":1.5`, "Welcome to host\n{}"} {
		if _, err := parse(out); err == nil {
			t.Errorf("%q passed", out)
		}
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	before := time.Unix(1000, 0)
	after := before.Add(400 * time.Millisecond)
	for seconds, want := range map[float64]time.Duration{
		1000.2: 0, 1000: 0, 999.5: 0, 990: -10 * time.Second, 1060.4: time.Minute,
	} {
		if got := skew(seconds, before, after); got != want {
			t.Errorf("%v: got %s, want %s", seconds, got, want)
		}
	}
}

// The script and AuthorityHash must find the same, whatever the line breaks.
func TestAuthorityHash(t *testing.T) {
	t.Parallel()
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bytes.Repeat([]byte("authority"), 40)})
	cmd := exec.Command("sh", "-c", `sed '/-----/d' | tr -d '\n\r ' | sha256sum | cut -d ' ' -f 1`)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(probeScript, `sed '/-----/d' /etc/kubernetes/pki/ca.crt | tr -d '\n\r ' | sha256sum`) {
		t.Error("the script counts another way than this test")
	}
	want := strings.TrimSpace(string(out))
	windows := bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	if AuthorityHash(data) != want || AuthorityHash(windows) != want {
		t.Errorf("got %s and %s, want %s", AuthorityHash(data), AuthorityHash(windows), want)
	}
}
