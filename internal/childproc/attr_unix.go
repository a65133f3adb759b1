//go:build unix && !linux

package childproc

import "syscall"

// sysProcAttr puts the child in a group of its own; only Linux can tie its life to ours.
func sysProcAttr(cfg Config) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if cfg.User != nil {
		attr.Credential = &syscall.Credential{Uid: cfg.User.UID, Gid: cfg.User.GID}
	}
	return attr
}
