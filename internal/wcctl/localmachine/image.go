package localmachine

import (
	"errors"
	"fmt"
	"os"
)

const (
	cacheEnv     = "WCCTL_CACHE_DIR"
	defaultCache = "/var/cache/wastecoach"
)

// Errors about the machines' image.
var (
	ErrNoSources = errors.New("no apt sources for the machines' image")
	ErrNoBuilder = errors.New("the program mmdebstrap is missing")
)

// ImageOptions are where the machines' root file system comes from.
type ImageOptions struct {
	// CacheDir is where images are kept; CacheDir() where it is empty.
	CacheDir string
	// Tar is a file by SaveImage; with it nothing is fetched.
	Tar string
	// AptSources is an apt sources file of Debian 12; this computer's own where it is empty.
	AptSources string
	// Progress takes lines about a build; it may be nil.
	Progress func(line string)
}

// CacheDir is where images are kept: WCCTL_CACHE_DIR, else a folder of the system.
func CacheDir(getenv func(string) string) string {
	if dir := getenv(cacheEnv); dir != "" {
		return dir
	}
	return defaultCache
}

func (o ImageOptions) cacheDir() string {
	if o.CacheDir != "" {
		return o.CacheDir
	}
	return CacheDir(os.Getenv)
}

func (o ImageOptions) tell(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
