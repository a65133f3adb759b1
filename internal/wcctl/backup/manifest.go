// Package backup takes a control plane's state into one file, keeps such files and tells whether one is whole.
package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// format is the archive's; a later one that this wcctl cannot read has another number.
const format = 1

// The names of an archive's own files. All others are paths on the control plane without the first slash.
const (
	manifestName = "manifest.json"
	// SnapshotName is etcd's data, as etcdutl restores it.
	SnapshotName = "etcd.db"
)

// Manifest is the first file of an archive: what the others are, and of which cluster.
type Manifest struct {
	Format  int    `json:"format"`
	Cluster string `json:"cluster"`
	// Release is of Kubernetes, without the v.
	Release string `json:"release"`
	// Machine is the control plane that the backup was taken on.
	Machine string    `json:"machine"`
	At      time.Time `json:"at"`
	// Seconds is how long taking it held the machine up: etcd's snapshot and its verification.
	Seconds float64 `json:"seconds"`
	Etcd    Etcd    `json:"etcd"`
	// CA is the cluster's certificate authority, a PEM.
	CA string `json:"ca"`
	// Settings are those that the cluster was made with, by their path in wastecoach.yaml.
	Settings map[string]string `json:"settings"`
	// Files are all others of the archive.
	Files map[string]File `json:"files"`
}

// Etcd is what `etcdutl snapshot status` says of the snapshot.
type Etcd struct {
	Version  string `json:"version"`
	Revision int64  `json:"revision"`
	Keys     int64  `json:"keys"`
	// Bytes are of its data; the file is as large or larger.
	Bytes int64 `json:"bytes"`
	// Hash is etcd's own checksum of keys and values.
	Hash uint32 `json:"hash"`
}

// File is one file of an archive.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// authority is the file that makes two clusters of one name different ones.
const authority = "etc/kubernetes/pki/ca.crt"

// Authority is the SHA-256 of the cluster's certificate authority, as `sha256sum` prints it.
func (m Manifest) Authority() string { return m.Files[authority].SHA256 }

// FormatError is a file that another wcctl made.
type FormatError struct{ Format int }

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("its format is %d, and this wcctl reads %d", e.Format, format)
}

func parseManifest(data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("reading %s: %w", manifestName, err)
	}
	if m.Format != format {
		return m, &FormatError{m.Format}
	}
	if m.Cluster == "" || m.Release == "" || m.Files[SnapshotName].SHA256 == "" || m.Authority() == "" || m.CA == "" {
		return m, errors.New(manifestName + " names no cluster, no release or not all files")
	}
	return m, nil
}

// Backup is a file and what it holds.
type Backup struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	// SHA256 is of the whole file, where that was read.
	SHA256 string `json:"sha256,omitempty"`
	Manifest
}

// Age is how old the backup is.
func (b Backup) Age(now time.Time) time.Duration { return now.Sub(b.At) }
