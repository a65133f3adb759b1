package dev

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	logLimit = 32 << 20
	logKept  = 3
)

// Log is a file of JSON lines, bounded in size. Lines at warning level or above are also shown.
type Log struct {
	path string
	show io.Writer

	mu   sync.Mutex
	file *os.File
	size int64
}

// OpenLog appends to the log of a data folder; show takes what people should see at once.
func OpenLog(data Folder, show io.Writer) (*Log, error) {
	l := &Log{path: data.LogPath(), show: show}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write takes one line, as slog's handlers write them.
func (l *Log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > logLimit {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if isLoud(line) {
		_, _ = io.WriteString(l.show, Brief(line)+"\n") // a closed terminal must not stop the log
	}
	return n, err
}

func (l *Log) rotate() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("closing the log: %w", err)
	}
	for i := logKept; i > 1; i-- {
		_ = os.Rename(l.path+"."+strconv.Itoa(i-1), l.path+"."+strconv.Itoa(i)) // there may be none
	}
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return fmt.Errorf("setting the log aside: %w", err)
	}
	return l.open()
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// isLoud leaves out what our own questions for readiness make services say while they start.
func isLoud(line []byte) bool {
	return !bytes.Contains(line, []byte(`"route":"/readyz"`)) && isWarning(line)
}

func isWarning(line []byte) bool {
	return bytes.Contains(line, []byte(`"level":"WARN"`)) ||
		bytes.Contains(line, []byte(`"level":"ERROR"`))
}

// Brief shortens a JSON line for people.
func Brief(line []byte) string {
	var r struct {
		Time    time.Time `json:"time"`
		Level   string    `json:"level"`
		Msg     string    `json:"msg"`
		Service string    `json:"service"`
		Part    string    `json:"part"`
		Error   string    `json:"error"`
		Text    string    `json:"text"`
		JobID   string    `json:"job_id"`
		Method  string    `json:"method"`
		Route   string    `json:"route"`
		Status  int       `json:"status"`
		Nanos   int64     `json:"duration"`
	}
	if json.Unmarshal(line, &r) != nil {
		return string(bytes.TrimSpace(line))
	}
	if r.Part == "" {
		r.Part = r.Service
	}
	text := fmt.Sprintf("%s %-5s %s: %s", r.Time.Local().Format(time.TimeOnly), r.Level, r.Part, r.Msg)
	if r.Status != 0 {
		text += fmt.Sprintf(" %s %s %d", r.Method, r.Route, r.Status)
	}
	if r.Nanos != 0 {
		text += " in " + time.Duration(r.Nanos).Round(time.Microsecond).String()
	}
	for _, attr := range []struct{ name, value string }{
		{"job", r.JobID}, {"text", r.Text}, {"error", r.Error},
	} {
		if first, _, more := strings.Cut(attr.value, "\n"); more {
			text += " " + attr.name + "=" + first + " …"
		} else if first != "" {
			text += " " + attr.name + "=" + first
		}
	}
	return text
}
