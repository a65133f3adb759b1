package childproc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	tailLines = 20
	tailBytes = 16 << 10
	// logLimit is the size at which a log is set aside when its program starts again.
	logLimit = 16 << 20
)

// Error is the unexpected end of a child, with the last lines it wrote.
type Error struct {
	Program string
	Cause   error
	LogPath string
	Tail    string
}

func (e *Error) Error() string {
	if e.Tail == "" {
		return fmt.Sprintf("%s: %v (it wrote nothing to %s)", e.Program, e.Cause, e.LogPath)
	}
	return fmt.Sprintf("%s: %v; its last lines:\n%s\nfull log: %s", e.Program, e.Cause, e.Tail, e.LogPath)
}

func (e *Error) Unwrap() error { return e.Cause }

// tail returns the last lines written after an offset, "" when there are none.
func tail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	if _, err := f.Seek(max(from, info.Size()-tailBytes), io.SeekStart); err != nil {
		return ""
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// openLog returns the file and where the next line will stand in it.
func openLog(path string) (*os.File, int64, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("setting aside log %s: %w", path, err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening log: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("opening log: %w", err), f.Close())
	}
	return f, end, nil
}
