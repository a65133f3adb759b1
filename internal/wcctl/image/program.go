package image

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// versionVariable is what the linker sets in every service.
const versionVariable = "github.com/prometheus/common/version.Version"

// Version is what the images are called and where they come from.
type Version struct {
	// Tag is also the version that the programs tell.
	Tag string
	// Commit is empty outside a Git repository.
	Commit string
	// Time is the commit's, so that the same commit makes the same bytes.
	Time time.Time
}

// shortCommit is how much of a commit's name a tag holds.
const shortCommit = 12

// ReadVersion names what the checkout in dir holds: the commit, with -dirty if files differ from it.
func ReadVersion(ctx context.Context, dir string) (Version, error) {
	head, err := git(ctx, dir, "log", "-1", "--format=%H %ct")
	if err != nil {
		return Version{}, err
	}
	commit, stamp, _ := strings.Cut(head, " ")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return Version{}, fmt.Errorf("reading the commit's time: %w", err)
	}
	changes, err := git(ctx, dir, "status", "--porcelain")
	if err != nil {
		return Version{}, err
	}
	v := Version{Tag: commit[:shortCommit], Commit: commit, Time: time.Unix(seconds, 0).UTC()}
	if changes != "" {
		v.Tag += "-dirty"
	}
	return v, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := proc.Command{Args: append([]string{"git", "-C", dir}, args...)}.Run(ctx)
	return strings.TrimSpace(string(out)), err
}

// compile builds static programs that do not depend on where, when and by whom they are built.
func (b *builder) compile(ctx context.Context, p v1.Platform) error {
	args := []string{
		"go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-tags=timetzdata",
		"-ldflags=-s -w -X " + versionVariable + "=" + b.Version.Tag,
		"-o", b.programs(p) + string(filepath.Separator),
	}
	for _, service := range b.Services {
		args = append(args, "./cmd/"+service)
	}
	_, err := proc.Command{
		Dir: b.Source,
		Env: []string{
			"CGO_ENABLED=0", "GOOS=" + p.OS, "GOARCH=" + p.Architecture, "GOFLAGS=", "GOWORK=off",
			"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off",
		},
		Args: args,
	}.Run(ctx)
	return err
}
