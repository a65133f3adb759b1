package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const (
	downloadVersion = embeddedpostgres.V15
	downloadMajor   = 15
)

// chooseBinaries takes the programs that fit the data folder's major version (0: any).
func (c Config) chooseBinaries(ctx context.Context, major int) (Binaries, error) {
	if c.Binaries.Dir != "" {
		if major != 0 && c.Binaries.Major != major {
			return c.Binaries, wrongMajor(c.DataDir, major, c.Binaries.Version)
		}
		return c.Binaries, nil
	}
	b, err := find(func(b Binaries) bool { return major == 0 || b.Major == major })
	if err == nil {
		return b, nil
	}
	if other, otherErr := Find(); otherErr == nil {
		return other, wrongMajor(c.DataDir, major, other.Version)
	}
	if major != 0 && major != downloadMajor {
		return b, wrongMajor(c.DataDir, major, "none")
	}
	return c.download(ctx, err)
}

func wrongMajor(dataDir string, major int, found string) error {
	return fmt.Errorf("data folder %s was made by PostgreSQL %d and the server found is %s: "+
		"apt-get install postgresql-%d, or start with an empty folder", dataDir, major, found, major)
}

// download fetches the programs once into the cache folder.
func (c Config) download(ctx context.Context, why error) (Binaries, error) {
	cache, err := c.cacheDir()
	if err != nil {
		return Binaries{}, err
	}
	dir := filepath.Join(cache, string(downloadVersion))
	if b, err := Inspect(filepath.Join(dir, "bin")); err == nil {
		return b, nil
	}
	c.Logger.Info("fetching postgresql", "version", string(downloadVersion), "to", dir, "reason", why.Error())
	began := time.Now()
	fetchErr := fetch(ctx, cache, dir)
	b, err := Inspect(filepath.Join(dir, "bin"))
	if err != nil {
		return Binaries{}, fmt.Errorf("fetching PostgreSQL %s: %w; install it instead: apt-get install postgresql-%d",
			downloadVersion, errors.Join(fetchErr, why), downloadMajor)
	}
	c.Logger.Info("fetched postgresql", "version", b.Version, "took", time.Since(began).Round(time.Millisecond))
	return b, nil
}

// fetch lets the library unpack its programs. It offers no download alone and starts a server
// too, which fails as root; so its error matters only when the programs are missing after it.
func fetch(ctx context.Context, cache, dir string) error {
	port, err := childproc.Port(ctx, 0)
	if err != nil {
		return err
	}
	run, err := os.MkdirTemp("", "wastecoach-fetch-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(run) }()
	pg := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(downloadVersion).Port(uint32(port)). //nolint:gosec // a port
		CachePath(cache).BinariesPath(dir).RuntimePath(filepath.Join(run, "run")).Logger(io.Discard))
	if err := pg.Start(); err != nil {
		return err
	}
	return pg.Stop()
}

func (c Config) cacheDir() (string, error) {
	if c.CacheDir != "" {
		return c.CacheDir, nil
	}
	if os.Geteuid() == 0 {
		// root's own cache folder is closed to the user who runs the server.
		return "/var/cache/wastecoach/postgresql", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for a cache folder: %w", err)
	}
	return filepath.Join(cache, "wastecoach", "postgresql"), nil
}
