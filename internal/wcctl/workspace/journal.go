package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// State is how far a phase is on a host.
type State string

// The states of an Entry.
const (
	Started State = "started"
	Done    State = "done"
	Failed  State = "failed"
)

// WholeRun is the Phase of the entries that tell when a run began and how it ended.
const WholeRun = "run"

// Entry is one line of the journal.
type Entry struct {
	At      time.Time `json:"at"`
	Run     string    `json:"run"`
	Command string    `json:"command"`
	Phase   string    `json:"phase"`
	// Host is empty for what is done on this computer.
	Host    string  `json:"host,omitempty"`
	State   State   `json:"state"`
	Seconds float64 `json:"seconds,omitempty"`
	// Text is the cause of a failure.
	Text string `json:"text,omitempty"`
}

// Journal is an append-only file that tells what was begun, done and failed where.
type Journal struct {
	run, command string
	mu           sync.Mutex
	file         *os.File
}

func (f Folder) journal() string { return f.path("journal.jsonl") }

// OpenJournal adds to the folder's journal in the name of a run.
func (f Folder) OpenJournal(run, command string) (*Journal, error) {
	file, err := os.OpenFile(f.journal(), os.O_CREATE|os.O_RDWR|os.O_APPEND, privateFile)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &Journal{run: run, command: command, file: file}
	if err := j.endTornLine(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

// endTornLine parts what a killed run left half written from what comes.
func (j *Journal) endTornLine() error {
	info, err := j.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := j.file.ReadAt(last, info.Size()-1); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	if last[0] == '\n' {
		return nil
	}
	return j.append([]byte("\n"))
}

// Note adds an entry; it is on the disk when Note returns.
func (j *Journal) Note(e Entry) error {
	e.Run, e.Command = j.run, j.command
	if e.At.IsZero() {
		e.At = time.Now().UTC()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(append(line, '\n'))
}

func (j *Journal) append(line []byte) error {
	_, err := j.file.Write(line)
	if err = errors.Join(err, j.file.Sync()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// Close ends the journal.
func (j *Journal) Close() error { return j.file.Close() }

// Entries are all that the journal tells, oldest first; lines that a crash tore are left out.
func (f Folder) Entries() ([]Entry, error) {
	data, err := readIfAny(f.journal())
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	var entries []Entry
	for line := range bytes.Lines(data) {
		var e Entry
		if json.Unmarshal(line, &e) == nil && e.Phase != "" {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Unfinished are the last run's entries without an end: where it was killed or has failed.
func Unfinished(entries []Entry) []Entry {
	if len(entries) == 0 {
		return nil
	}
	type where struct{ phase, host string }
	var order []where
	latest := map[where]Entry{}
	run := entries[len(entries)-1].Run
	for _, e := range entries {
		if e.Run != run {
			continue
		}
		at := where{e.Phase, e.Host}
		if _, known := latest[at]; !known {
			order = append(order, at)
		}
		latest[at] = e
	}
	var left []Entry
	for _, at := range order {
		if e := latest[at]; e.State != Done && e.Phase != WholeRun {
			left = append(left, e)
		}
	}
	return left
}
