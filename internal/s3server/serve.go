package s3server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	healthPath     = "/.gateway-health"
	maxConnections = 1024
	maxParts       = 10000
)

// order is what Start tells the child, by stdin: the secret must not be in the process list.
type order struct {
	Objects   string
	Metadata  string
	Port      int
	Region    string
	AccessKey string
	SecretKey string
	CertFile  string
	KeyFile   string
}

// Serve is the whole main of the child that Start runs: it reads its order from in and serves
// until ctx ends. It changes the working directory of its process.
func Serve(ctx context.Context, in io.Reader) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return fmt.Errorf("reading the gateway's order: %w", err)
	}
	// Extended attributes are missing on some filesystems; files beside the objects are not.
	sidecar, err := meta.NewSideCar(o.Metadata)
	if err != nil {
		return fmt.Errorf("opening the folder of object metadata: %w", err)
	}
	files, err := posix.New(o.Objects, sidecar, posix.PosixOpts{
		SideCarDir: o.Metadata, ValidateBucketNames: true,
	})
	if err != nil {
		return fmt.Errorf("opening the folder of objects: %w", err)
	}
	err = embedgw.RunVersityGW(ctx, files, &embedgw.Config{
		RootUserAccess: o.AccessKey, RootUserSecret: o.SecretKey, Region: o.Region,
		Ports:          []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port))},
		MaxConnections: maxConnections, MaxRequests: maxConnections, MultipartMaxParts: maxParts,
		CertFile: o.CertFile, KeyFile: o.KeyFile,
		KeepAlive: true, Quiet: true, DisableACLs: true, HealthPath: healthPath,
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (c Config) order(port int) (string, error) {
	o := order{
		Objects: filepath.Join(c.Dir, "objects"), Metadata: filepath.Join(c.Dir, "metadata"),
		Port: port, Region: c.Region, AccessKey: c.AccessKey, SecretKey: c.SecretKey,
		CertFile: c.CertFile, KeyFile: c.KeyFile,
	}
	for _, dir := range []string{o.Objects, o.Metadata} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("creating folder for S3: %w", err)
		}
	}
	b, err := json.Marshal(o) //nolint:gosec // goes into the child's stdin, nowhere else
	return string(b), err
}
