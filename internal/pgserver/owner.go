package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

// serverUser picks who runs the server on a data folder. PostgreSQL refuses root, so root
// hands it to the folder's owner, else to postgres, else to nobody. Nil means this user.
func serverUser(dataDir string) (*childproc.User, error) {
	owner, exists, err := ownerOf(dataDir)
	if err != nil {
		return nil, err
	}
	uid := uint32(os.Geteuid()) //nolint:gosec // user ids are small
	if uid != 0 {
		if exists && owner.UID != uid {
			return nil, fmt.Errorf("data folder %s belongs to %s: run as that user or choose another folder",
				dataDir, owner.Name)
		}
		return nil, nil
	}
	if exists && owner.UID != 0 {
		return owner, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := lookup(user.Lookup(name)); err == nil {
			return u, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: " +
		"run as another user, or: useradd --system postgres")
}

func ownerOf(path string) (*childproc.User, bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading data folder: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, false, fmt.Errorf("reading the owner of %s: not supported here", path)
	}
	u, err := lookup(user.LookupId(strconv.FormatUint(uint64(st.Uid), 10)))
	if err != nil {
		u = &childproc.User{Name: fmt.Sprintf("user %d", st.Uid), UID: st.Uid, GID: st.Gid}
	}
	return u, true, nil
}

func lookup(u *user.User, err error) (*childproc.User, error) {
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &childproc.User{Name: u.Username, UID: uint32(uid), GID: uint32(gid)}, nil
}

// checkReach tells which folder on the way to path the user may not enter. PostgreSQL itself
// would only say "permission denied" about the last one.
func checkReach(path string, u *childproc.User) error {
	if u == nil {
		return nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for dir := target; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !mayEnter(info, u) {
			return fmt.Errorf("folder %s (mode %04o) cannot be entered by user %s, who runs PostgreSQL because it "+
				"refuses root: choose a data folder elsewhere, or: chmod o+x %s",
				dir, info.Mode().Perm(), u.Name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func mayEnter(info fs.FileInfo, u *childproc.User) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case st.Uid == u.UID:
		return info.Mode()&0o100 != 0
	case st.Gid == u.GID:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}
