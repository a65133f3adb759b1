package pgbackup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Backup is a base backup. With the archive it leads to every time since its end.
type Backup struct {
	Label string    `json:"label"`
	Start time.Time `json:"start"`
	// End is the first second that it can be taken back to.
	End time.Time `json:"end"`
	// Bytes are of the database, Stored of the backup.
	Bytes  int64 `json:"bytes"`
	Stored int64 `json:"stored"`
	// Damaged tells of pages that do not fit their checksums.
	Damaged bool `json:"damaged,omitempty"`
}

// stanza is what `pgbackrest info --output=json` tells of a database.
type stanza struct {
	Status status
	Repo   []struct{ Status status }
	Backup []struct {
		Label     string
		Error     bool
		Timestamp struct{ Start, Stop int64 }
		Info      struct {
			Size       int64
			Repository struct{ Delta int64 }
		}
	}
}

type status struct {
	Code    int
	Message string
}

// The codes of a stanza without backups, as pgbackrest knows them.
const (
	statusOK        = 0
	statusNoBackups = 2
)

// List asks the repository for all base backups, the newest first.
func (d *Database) List(ctx context.Context) ([]Backup, error) {
	template, err := d.template(ctx)
	if err != nil {
		return nil, err
	}
	job := template.job("list", d.id(), "list.sh")
	output, err := d.run(ctx, job)
	d.forget(ctx, job.Name)
	if err != nil {
		return nil, err
	}
	return parse(output)
}

// parse reads the last line of a script's output.
func parse(output string) ([]Backup, error) {
	output = strings.TrimSpace(output)
	last := output[strings.LastIndex(output, "\n")+1:]
	var stanzas []stanza
	if err := json.Unmarshal([]byte(last), &stanzas); err != nil {
		return nil, fmt.Errorf("reading what pgbackrest tells of the backups: %w: %s", err, last)
	}
	list := []Backup{}
	for _, s := range stanzas {
		if s.Status.Code > statusNoBackups {
			return nil, s.fault()
		}
		for _, b := range s.Backup {
			list = append([]Backup{{
				Label: b.Label, Start: time.Unix(b.Timestamp.Start, 0).UTC(), End: time.Unix(b.Timestamp.Stop, 0).UTC(),
				Bytes: b.Info.Size, Stored: b.Info.Repository.Delta, Damaged: b.Error,
			}}, list...)
		}
	}
	return list, nil
}

// fault is why the repository does not tell.
func (s stanza) fault() error {
	for _, r := range s.Repo {
		if r.Status.Code != statusOK {
			return errors.New("the repository cannot be read: " + r.Status.Message)
		}
	}
	return errors.New("the repository cannot be read: " + s.Status.Message)
}
