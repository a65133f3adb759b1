package workspace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

const (
	logStamp = "20060102-150405"
	// keptLogs is how many runs' files stay.
	keptLogs = 50
)

// A private key is redacted over several lines.
var (
	keyBegin = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)
	keyEnd   = regexp.MustCompile(`-----END [A-Z ]*PRIVATE KEY-----`)
)

// Log is a run's file: every event and all that children print. It is safe for many goroutines.
type Log struct {
	path  string
	start time.Time
	mu    sync.Mutex
	file  *os.File
	// rest is a line whose end has not come yet.
	rest []byte
	// inKey is true between the first and the last line of a private key.
	inKey bool
}

// OpenLog begins the file of a run of the command and drops the oldest ones.
func (f Folder) OpenLog(command string, start time.Time) (*Log, error) {
	if err := f.dropOldLogs(); err != nil {
		return nil, err
	}
	name := start.UTC().Format(logStamp) + "-" + command
	for n := 1; ; n++ {
		path := filepath.Join(f.Logs(), name+".log")
		if n > 1 {
			path = filepath.Join(f.Logs(), fmt.Sprintf("%s-%d.log", name, n))
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, privateFile)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening the run's log: %w", err)
		}
		return &Log{path: path, start: start, file: file}, nil
	}
}

func (f Folder) dropOldLogs() error {
	// What is known of failures stands beside the logs.
	for _, pattern := range []string{"*.log", "*-evidence.txt"} {
		paths, err := filepath.Glob(filepath.Join(f.Logs(), pattern))
		if err != nil {
			return fmt.Errorf("looking for old logs: %w", err)
		}
		slices.Sort(paths)
		for _, path := range paths[:max(0, len(paths)-keptLogs+1)] {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("removing an old log: %w", err)
			}
		}
	}
	return nil
}

// Path is the file's.
func (l *Log) Path() string { return l.path }

// Emit implements event.Sink.
func (l *Log) Emit(e event.Event) {
	line, err := json.Marshal(e)
	if err != nil {
		return // an Event always has a JSON form
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(append([]byte("event "), line...))
}

// Write implements io.Writer for the output of children; it is kept line by line.
func (l *Log) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, data...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 {
			return len(data), nil
		}
		l.line(l.rest[:i])
		l.rest = l.rest[i+1:]
	}
}

// line is called with mu held. A full disk must not end a run that goes well.
func (l *Log) line(text []byte) {
	text = bytes.TrimRight(text, "\r\n")
	inKey := l.inKey
	switch {
	case keyBegin.Match(text):
		l.inKey = !keyEnd.Match(text)
	case keyEnd.Match(text):
		l.inKey = false
	}
	if inKey {
		return
	}
	_, _ = fmt.Fprintf(l.file, "%8.1f %s\n", time.Since(l.start).Seconds(), redact.Text(string(text)))
}

// Close ends the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.line(l.rest)
		l.rest = nil
	}
	return l.file.Close()
}
