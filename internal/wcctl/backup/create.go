package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

//go:embed take.sh
var takeScript string

// Shell is a login to the control plane as root.
type Shell interface {
	Stream(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) (int, error)
}

// Options say what to take where.
type Options struct {
	// Cluster and Machine are what the file shall be of; another cluster's machine is refused.
	Cluster, Machine string
	// Release stands for a machine that notes none.
	Release string
	// Path is the file to write; nothing may be there.
	Path string
	At   time.Time
	// Progress hears how much of the snapshot has come; it may be nil.
	Progress func(done, total int64)
}

// Create takes a backup and writes it. Under its final name a file is whole.
func Create(ctx context.Context, shell Shell, o Options) (Backup, error) {
	out, err := newWriter(o.Path)
	if err != nil {
		return Backup{}, err
	}
	defer out.abandon()
	manifest, err := take(ctx, shell, o, out)
	if err != nil {
		return Backup{}, err
	}
	bytesWritten, err := out.finish()
	if err != nil {
		return Backup{}, err
	}
	return Backup{File: o.Path, Bytes: bytesWritten, Manifest: manifest}, nil
}

// take copies what the machine sends into the archive.
func take(ctx context.Context, shell Shell, o Options, out *writer) (Manifest, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	var said bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		code, err := shell.Stream(ctx, takeScript, nil, to, &said)
		if err == nil && code != 0 {
			err = errors.New(lastLine(said.String(), code))
		}
		_ = to.CloseWithError(err) // it never fails; a nil error is an orderly end
		ended <- err
	}()
	manifest, err := repack(from, o, out)
	// The machine's own words say more than the stream that they broke off.
	_ = from.CloseWithError(err)
	if err != nil {
		cancel()
	}
	if told := <-ended; told != nil && (err == nil || errors.Is(err, told) || !errors.Is(told, context.Canceled)) {
		return manifest, told
	}
	return manifest, err
}

func lastLine(text string, code int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return fmt.Sprintf("exit code %d", code)
}

// repack reads the machine's stream: the facts, of which the manifest is made, then the files.
func repack(from io.Reader, o Options, out *writer) (Manifest, error) {
	zipped, err := gzip.NewReader(from)
	if err != nil {
		return Manifest{}, fmt.Errorf("reading what the machine sends: %w", err)
	}
	stream := tar.NewReader(zipped)
	manifest, err := readFacts(stream, o)
	if err != nil {
		return manifest, err
	}
	if err := out.begin(manifest); err != nil {
		return manifest, err
	}
	for {
		entry, err := stream.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return manifest, fmt.Errorf("reading what the machine sends: %w", err)
		}
		var content io.Reader = stream
		if entry.Name == SnapshotName && o.Progress != nil {
			content = &Meter{Reader: stream, Total: entry.Size, Tell: o.Progress}
		}
		if err := out.add(entry.Name, entry.Mode, content); err != nil {
			return manifest, err
		}
	}
	// What is left of the stream is padding; the command ends only when it is read.
	if _, err := io.Copy(io.Discard, zipped); err != nil { //nolint:gosec // nothing of it is kept
		return manifest, fmt.Errorf("reading what the machine sends: %w", err)
	}
	return manifest, nil
}

// factLimit bounds each of the small files that come first, in bytes.
const factLimit = 1 << 20

func readFacts(stream *tar.Reader, o Options) (Manifest, error) {
	facts := map[string]string{}
	for _, name := range []string{"status.json", "settings.json", "ca.crt", "sums", "sizes", "seconds"} {
		entry, err := stream.Next()
		if err != nil {
			return Manifest{}, fmt.Errorf("reading what the machine sends: %w", err)
		}
		if entry.Name != name {
			return Manifest{}, fmt.Errorf("the machine sends %s, not %s", entry.Name, name)
		}
		data, err := io.ReadAll(io.LimitReader(stream, factLimit))
		if err != nil {
			return Manifest{}, fmt.Errorf("reading what the machine sends: %w", err)
		}
		facts[name] = string(data)
	}
	return manifestOf(facts, o)
}

func manifestOf(facts map[string]string, o Options) (Manifest, error) {
	m := Manifest{
		Format: format, Cluster: o.Cluster, Release: o.Release, Machine: o.Machine,
		At: o.At.UTC().Truncate(time.Second), CA: facts["ca.crt"], Files: map[string]File{},
	}
	var status struct {
		Hash                int64
		Revision            int64
		TotalKey, TotalSize int64
		Version             string
	}
	if err := json.Unmarshal([]byte(facts["status.json"]), &status); err != nil {
		return m, fmt.Errorf("reading what etcdutl says of the snapshot: %w", err)
	}
	m.Etcd = Etcd{
		Version: status.Version, Revision: status.Revision, Keys: status.TotalKey, Bytes: status.TotalSize,
		Hash: uint32(status.Hash), //nolint:gosec // etcd's hash is a CRC32
	}
	if err := json.Unmarshal([]byte(facts["settings.json"]), &m.Settings); err != nil {
		return m, fmt.Errorf("reading what the cluster was made with: %w", err)
	}
	if name := m.Settings["metadata.name"]; name != "" && name != o.Cluster {
		return m, fmt.Errorf("the machine belongs to the cluster %q, not to %q", name, o.Cluster)
	}
	if release := m.Settings["spec.kubernetes.version"]; release != "" {
		m.Release = release
	}
	var err error
	if m.Seconds, err = strconv.ParseFloat(strings.TrimSpace(facts["seconds"]), 64); err != nil {
		return m, fmt.Errorf("reading what the machine sends: %w", err)
	}
	for line := range strings.Lines(facts["sums"]) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		m.Files[name] = File{SHA256: sum}
	}
	for line := range strings.Lines(facts["sizes"]) {
		size, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		file := m.Files[name]
		if file.Bytes, err = strconv.ParseInt(size, 10, 64); err != nil {
			return m, fmt.Errorf("reading what the machine sends: %w", err)
		}
		m.Files[name] = file
	}
	if m.Authority() == "" {
		return m, errors.New("the machine has no /" + authority + ": it is no control plane")
	}
	return m, nil
}

// Meter tells of what is read through it.
type Meter struct {
	io.Reader
	Total int64
	Tell  func(done, total int64)
	done  int64
}

// Read implements io.Reader.
func (m *Meter) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.done += int64(n)
	if n > 0 {
		m.Tell(m.done, m.Total)
	}
	return n, err
}
