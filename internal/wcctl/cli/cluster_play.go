package cli

import (
	"context"
	"errors"
	"io"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// player runs the playbook.
func player(
	_ *spec.Cluster, _ workspace.Folder, _ string, _ int, _ event.Sink, _ io.Writer,
) phase.Play {
	return func(context.Context, phase.Playing) (map[string]phase.Played, error) {
		return nil, errors.New("the playbook's runner is not wired yet")
	}
}
