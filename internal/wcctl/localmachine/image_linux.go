package localmachine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// rootfsName is the image's only folder; the name beside it says that it is whole.
const rootfsName = "rootfs"

// EnsureImage returns the root file system that machines share. The second call is instant; several at
// once build it once, and a killed one leaves nothing that a later one would take for an image.
func EnsureImage(ctx context.Context, opts ImageOptions) (string, error) {
	if err := needRoot(); err != nil {
		return "", err
	}
	fill, key, err := opts.plan()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(opts.cacheDir(), "images", key)
	done := filepath.Join(dir, rootfsName)
	if isFolder(done) {
		return done, nil
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if isFolder(done) {
		return done, nil
	}
	temp := done + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return "", fmt.Errorf("removing an unfinished image: %w", err)
	}
	if err := os.Mkdir(temp, 0o755); err != nil { //nolint:gosec // the machine's root folder
		return "", fmt.Errorf("making the image's folder: %w", err)
	}
	began := time.Now()
	if err := fill(ctx, temp); err != nil {
		return "", errors.Join(err, os.RemoveAll(temp))
	}
	if err := os.Rename(temp, done); err != nil {
		return "", fmt.Errorf("finishing the image: %w", err)
	}
	opts.tell("image %s made in %s", key, time.Since(began).Round(time.Second))
	return done, nil
}

// plan tells how the image is made and what it is called.
func (o ImageOptions) plan() (func(ctx context.Context, root string) error, string, error) {
	if o.Tar != "" {
		key, err := tarKey(o.Tar)
		return o.unpack, key, err
	}
	path, sources, err := o.sources()
	if err != nil {
		return nil, "", err
	}
	key, err := recipeKey(sources)
	return func(ctx context.Context, root string) error { return o.build(ctx, root, path) }, key, err
}

// sources finds the apt sources of the distribution that machines are made of.
func (o ImageOptions) sources() (string, []byte, error) {
	paths := []string{"/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"}
	if o.AptSources != "" {
		paths = []string{o.AptSources}
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(suite)) {
			return path, data, nil
		}
	}
	return "", nil, fmt.Errorf("%w: none of %s names %s", ErrNoSources, strings.Join(paths, ", "), suite)
}

func (o ImageOptions) build(ctx context.Context, root, sources string) error {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return ErrNoBuilder
	}
	o.tell("making the machines' image of %s (once, about a minute)", suite)
	args := append(buildOptions(), "--include="+strings.Join(packages(), ","), suite, root, sources)
	if err := o.runSealed(ctx, "mmdebstrap", args...); err != nil {
		return fmt.Errorf("making the image: %w", err)
	}
	return prepareImage(root)
}

func (o ImageOptions) unpack(ctx context.Context, root string) error {
	o.tell("unpacking the machines' image from %s", o.Tar)
	if err := o.runSealed(ctx, "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", o.Tar,
		"-C", root); err != nil {
		return fmt.Errorf("unpacking the image: %w", err)
	}
	if !isFolder(root + "/etc/systemd") {
		return fmt.Errorf("%s holds no machine's image", o.Tar)
	}
	return nil
}

// runSealed runs a program whose processes and mounts end with it, and it with us.
func (o ImageOptions) runSealed(ctx context.Context, name string, args ...string) error {
	runtime.LockOSThread() // Pdeathsig is about this thread
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
		Pdeathsig: syscall.SIGKILL,
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", name, err), write.Close())
	}
	_ = write.Close()
	last := o.follow(read)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w\n%s", name, err, last)
	}
	return nil
}

// follow reports what the program prints and returns its last lines.
func (o ImageOptions) follow(r io.Reader) string {
	const kept = 20
	var last []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if last = append(last, line); len(last) > kept {
			last = last[1:]
		}
		if text, ok := strings.CutPrefix(line, "I: "); ok {
			o.tell("%s", text)
		}
	}
	return strings.Join(last, "\n")
}

// SaveImage writes an image as the tar that ImageOptions.Tar takes.
func SaveImage(ctx context.Context, rootfs, path string) error {
	// Equal images make equal files, so that a bundle's digest says what it holds.
	cmd := exec.CommandContext(ctx, "tar", "--numeric-owner", "--xattrs", "--sort=name", "--mtime=@0",
		"--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "-cf", path+".new",
		"-C", rootfs, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("packing the image: %w\n%s", err, bytes.TrimSpace(out)),
			os.Remove(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("packing the image: %w", err)
	}
	return nil
}

// tarKey names a tar without reading it all.
func tarKey(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("reading the machines' image: %w", err)
	}
	return fmt.Sprintf("tar-%x-%x", info.Size(), info.ModTime().UnixNano()), nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
