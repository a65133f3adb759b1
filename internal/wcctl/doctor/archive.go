package doctor

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

// Result is what doctor found.
type Result struct {
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
	Missing  []Missing `json:"missing"`
	// Archive is the file that holds everything.
	Archive string `json:"archive,omitempty"`
}

// Diagnose searches the collection; the faults of its conditions come after those with a cause.
func (c Collection) Diagnose() Result {
	searched := slices.DeleteFunc(slices.Clone(c.Evidence), func(e Evidence) bool {
		return strings.HasPrefix(e.Source, archivedLog)
	})
	findings := Diagnose(searched)
	if c.Report != nil && len(kube.Worst(c.Report.Conditions)) == 0 {
		// What the last run met has been mended since.
		for i := range findings {
			findings[i].Current = findings[i].Current && !strings.HasPrefix(findings[i].Source, runLog)
		}
		slices.SortStableFunc(findings, func(a, b Finding) int {
			return boolean(b.Current) - boolean(a.Current)
		})
	}
	if c.Report != nil {
		split := slices.IndexFunc(findings, func(f Finding) bool { return !f.Current })
		if split < 0 {
			split = len(findings)
		}
		findings = slices.Insert(findings, split, FromConditions(c.Report.Conditions)...)
	}
	if findings == nil {
		findings = []Finding{}
	}
	missing := c.Missing
	if missing == nil {
		missing = []Missing{}
	}
	return Result{At: c.At, Findings: findings, Missing: missing}
}

// Write packs the collection and what was found in it into a .tar.gz, under one folder.
func (c Collection) Write(w io.Writer, folder string, result Result) error {
	packed := gzip.NewWriter(w)
	archive := tar.NewWriter(packed)
	add := func(name string, text []byte) error {
		header := &tar.Header{
			Name: folder + "/" + name, Mode: 0o600, Size: int64(len(text)), ModTime: c.At, Typeflag: tar.TypeReg,
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err := archive.Write(text)
		return err
	}
	err := c.writeAll(add, result)
	if err = errors.Join(err, archive.Close(), packed.Close()); err != nil {
		return fmt.Errorf("packing what was collected: %w", err)
	}
	return nil
}

func (c Collection) writeAll(add func(name string, text []byte) error, result Result) error {
	if err := addJSON(add, "findings.json", result); err != nil {
		return err
	}
	if c.Report != nil {
		if err := addJSON(add, "cluster/conditions.json", c.Report); err != nil {
			return err
		}
	}
	for _, e := range c.Evidence {
		if err := add(e.Name(), []byte(e.Text)); err != nil {
			return err
		}
	}
	return nil
}

func addJSON(add func(name string, text []byte) error, name string, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return add(name, []byte(redact.Text(text.String())))
}
