package phase

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed survey.sh
var surveyScript string

// survey is what a machine says of itself in one look.
type survey struct {
	boot string
	// units are systemd's words for containerd and kubelet, e.g. active.
	units   map[string]string
	records map[string]record
	// drift are a phase's files that are not as it left them.
	drift map[string][]string
	// made are the settings that the cluster was made with; nil where there is none.
	made map[string]string
	// admin is the fingerprint of admin.conf's certificates; empty without a control plane.
	admin string
}

// look asks a machine in one command.
func look(ctx context.Context, shell Shell) (*survey, error) {
	out, err := shell.Output(ctx, surveyScript, nil)
	if err != nil {
		return nil, fmt.Errorf("looking at the machine: %w", err)
	}
	return parseSurvey(out)
}

// owner is the name of the cluster that the machine belongs to; empty where nothing tells it.
func (s *survey) owner() string {
	if name := s.made["metadata.name"]; name != "" {
		return name
	}
	for _, r := range s.records {
		if r.Cluster != "" {
			return r.Cluster
		}
	}
	return ""
}

func parseSurvey(text string) (*survey, error) {
	s := &survey{units: map[string]string{}, records: map[string]record{}, drift: map[string][]string{}}
	ended := false
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		name, value, _ := strings.Cut(rest, " ")
		switch kind {
		case "boot":
			s.boot = rest
		case "unit":
			s.units[name] = value
		case "record":
			// A torn record is none: its phase runs again.
			var r record
			if json.Unmarshal([]byte(value), &r) == nil {
				s.records[name] = r
			}
		case "made":
			if err := json.Unmarshal([]byte(rest), &s.made); err != nil {
				return nil, fmt.Errorf("looking at the machine: reading %s: %w", settingsFile, err)
			}
		case "drift":
			s.drift[name] = append(s.drift[name], value)
		case "admin":
			s.admin = rest
		case "end":
			ended = true
		}
	}
	if !ended {
		return nil, fmt.Errorf("looking at the machine: its answer was cut off: %q", tail(text))
	}
	return s, nil
}

func tail(text string) string {
	const most = 200
	return text[max(0, len(text)-most):]
}
