package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// machine is a control plane at the wire: what take.sh would send.
type machine struct {
	cluster string
	files   map[string]string
	// sent stands for what a file has when it is sent, where that differs.
	sent map[string]string
	// cut breaks the stream off after that many bytes; 0 does not.
	cut  int
	code int
	said string
}

func newMachine() *machine {
	data := strings.Repeat("etcd's pages ", 1000)
	sum := sha256.Sum256([]byte(data))
	return &machine{cluster: "demo", sent: map[string]string{}, files: map[string]string{
		SnapshotName: data + string(sum[:]), authority: "the authority", "etc/wastecoach/encryption.yaml": "the key",
	}}
}

// Stream implements Shell.
func (m *machine) Stream(_ context.Context, _ string, _ io.Reader, stdout, stderr io.Writer) (int, error) {
	fmt.Fprintln(stderr, m.said)
	if m.code != 0 {
		return m.code, nil
	}
	data := m.stream()
	if m.cut > 0 {
		data = data[:m.cut]
	}
	// The other side may have had enough.
	_, _ = stdout.Write(data)
	if m.cut > 0 {
		return 0, errors.New("the connection was lost")
	}
	return 0, nil
}

func (m *machine) stream() []byte {
	names := []string{SnapshotName}
	sums, sizes := "", ""
	for name, text := range m.files {
		if name != SnapshotName {
			names = append(names, name)
		}
		sum := sha256.Sum256([]byte(text))
		sums += hex.EncodeToString(sum[:]) + "  " + name + "\n"
		sizes += fmt.Sprintf("%d %s\n", len(text), name)
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	add := func(name, text string) {
		_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))})
		_, _ = io.WriteString(w, text)
	}
	add("status.json", `{"hash":3495792217,"revision":42,"totalKey":7,"totalSize":20480,"version":"3.6.0"}`)
	add("settings.json", `{"metadata.name":"`+m.cluster+`","spec.kubernetes.version":"1.36.3"}`)
	add("ca.crt", m.files[authority])
	add("sums", sums)
	add("sizes", sizes)
	add("seconds", "0.125\n")
	for _, name := range names {
		text := m.files[name]
		if other, changed := m.sent[name]; changed {
			text = other
		}
		add(name, text)
	}
	_ = errors.Join(w.Close(), zipped.Close()) // it is memory
	return out.Bytes()
}

func (m *machine) take(t *testing.T, folder Folder, at time.Time) (Backup, error) {
	t.Helper()
	path, err := folder.PathFor(at)
	if err != nil {
		t.Fatal(err)
	}
	return Create(t.Context(), m, Options{
		Cluster: "demo", Machine: "demo-control-plane", Release: "1.0.0", Path: path, At: at,
	})
}

func names(t *testing.T, folder Folder) []string {
	t.Helper()
	entries, err := os.ReadDir(string(folder))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func TestABackupIsWholeAndItsOwnersAlone(t *testing.T) {
	t.Parallel()
	folder := Folder(t.TempDir())
	taken, err := newMachine().take(t, folder, noon)
	if err != nil {
		t.Fatal(err)
	}
	want := Etcd{Version: "3.6.0", Revision: 42, Keys: 7, Bytes: 20480, Hash: 3495792217}
	if taken.Etcd != want || taken.Release != "1.36.3" || taken.Seconds != .125 || taken.CA != "the authority" {
		t.Errorf("%+v", taken.Manifest)
	}
	verified, err := Verify(taken.File)
	if err != nil || verified.SHA256 == "" || verified.Authority() != taken.Authority() {
		t.Errorf("%+v, %v", verified, err)
	}
	const name = "20261126T120000Z-etcd.tar.gz"
	if got := names(t, folder); !slices.Equal(got, []string{name, name + sumSuffix}) {
		t.Errorf("the folder has %q", got)
	}
	if info, err := os.Stat(taken.File); err != nil || info.Mode().Perm() != privateMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := newMachine().take(t, folder, noon); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second one of the same name: %v", err)
	}
}

func TestWhatDidNotBecomeWholeIsNotThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(m *machine)
		want   string
	}{
		"a cut connection":       {func(m *machine) { m.cut = len(m.stream()) / 2 }, "the connection was lost"},
		"a machine that fails":   {func(m *machine) { m.code, m.said = 1, "etcd does not run" }, "etcd does not run"},
		"a file that changed":    {func(m *machine) { m.sent[authority] = "an authority!" }, "another content"},
		"another cluster":        {func(m *machine) { m.cluster = "prod" }, `belongs to the cluster "prod"`},
		"a worker":               {func(m *machine) { delete(m.files, authority) }, "it is no control plane"},
		"an empty answer":        {func(m *machine) { m.cut = 1 }, "the connection was lost"},
		"a file that grew since": {func(m *machine) { m.sent[authority] = "a longer authority" }, authority},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, m := Folder(t.TempDir()), newMachine()
			c.change(m)
			if _, err := m.take(t, folder, noon); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if left := names(t, folder); len(left) > 0 {
				t.Errorf("it left %q", left)
			}
		})
	}
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string, data []byte) error{
		"a flipped bit": func(path string, data []byte) error {
			data[len(data)/2] ^= 1
			return errors.Join(os.WriteFile(path, data, privateMode), os.Remove(path+sumSuffix))
		},
		"cut off": func(path string, data []byte) error {
			return errors.Join(os.WriteFile(path, data[:len(data)*3/4], privateMode), os.Remove(path+sumSuffix))
		},
		"another file's sum": func(path string, _ []byte) error {
			return os.WriteFile(path+sumSuffix, []byte(strings.Repeat("0", 64)+"  x\n"), privateMode)
		},
		"no archive": func(path string, _ []byte) error {
			return os.WriteFile(path, []byte("hello"), privateMode)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, err := newMachine().take(t, Folder(t.TempDir()), noon)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(taken.File)
			if err == nil {
				err = damage(taken.File, data)
			}
			if err != nil {
				t.Fatal(err)
			}
			var damaged *DamagedError
			if _, err := Verify(taken.File); !errors.As(err, &damaged) {
				t.Errorf("verify says %v", err)
			}
		})
	}
}

// A machine may send a snapshot that agrees with its own sums and yet is none of etcd's.
func TestEtcdsOwnSumIsChecked(t *testing.T) {
	t.Parallel()
	m := newMachine()
	m.files[SnapshotName] = strings.Repeat("no sum at the end", 10)
	taken, err := m.take(t, Folder(t.TempDir()), noon)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(taken.File); err == nil || !strings.Contains(err.Error(), "the sum at its end") {
		t.Errorf("verify says %v", err)
	}
}

func TestOldBackupsAreRemoved(t *testing.T) {
	t.Parallel()
	folder := Folder(t.TempDir())
	for i := range 4 {
		if _, err := newMachine().take(t, folder, noon.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	unreadable := filepath.Join(string(folder), "20200101T000000Z"+suffix)
	if err := os.WriteFile(unreadable, nil, privateMode); err != nil {
		t.Fatal(err)
	}
	removed, err := folder.Prune("demo", 3)
	if err != nil || len(removed) != 1 || !strings.Contains(removed[0], "T120000Z") {
		t.Errorf("removed %q, %v", removed, err)
	}
	if removed, err := folder.Prune("prod", 1); err != nil || len(removed) > 0 {
		t.Errorf("another cluster's pruning removed %q, %v", removed, err)
	}
	list, err := folder.List()
	if err != nil || len(list) != 4 || !list[0].At.Equal(noon.Add(3*time.Hour)) || list[3].Fault == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if newest, found := folder.Newest("demo"); !found || newest.File != list[0].File {
		t.Errorf("%v %s", found, newest.File)
	}
	if got := folder.Find(filepath.Base(list[0].File)); got != list[0].File {
		t.Errorf("found %s", got)
	}
}

func TestATornBackupOfAKilledRunIsRemoved(t *testing.T) {
	t.Parallel()
	folder := Folder(t.TempDir())
	torn := filepath.Join(string(folder), tempPrefix("20261126T110000Z"+suffix)+"123")
	if err := os.WriteFile(torn, nil, privateMode); err != nil {
		t.Fatal(err)
	}
	if list, err := folder.List(); err != nil || len(list) > 0 {
		t.Errorf("it is listed: %+v, %v", list, err)
	}
	if _, err := folder.PathFor(noon); err != nil || len(names(t, folder)) > 0 {
		t.Errorf("%v, left %q", err, names(t, folder))
	}
}

func TestAnAttemptGoesOnWithTheSameFileAlone(t *testing.T) {
	t.Parallel()
	folder := workspace.Folder(t.TempDir())
	a, err := NewAttempt(folder, "one")
	if err == nil {
		err = a.Begin()
	}
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Resume(folder, "one"); err != nil || again == nil || again.ID != a.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if other, err := Resume(folder, "two"); err != nil || other != nil {
		t.Errorf("another file goes on: %+v, %v", other, err)
	}
	if err := a.End(); err != nil {
		t.Error(err)
	}
	if again, err := Resume(folder, "one"); err != nil || again != nil {
		t.Errorf("what has ended goes on: %+v, %v", again, err)
	}
}
