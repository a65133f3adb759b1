package childproc

import "syscall"

// sysProcAttr puts the child in a group of its own, so that a terminal's Ctrl-C reaches only us.
func sysProcAttr(cfg Config) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: cfg.DeathSignal}
	if cfg.User != nil {
		attr.Credential = &syscall.Credential{Uid: cfg.User.UID, Gid: cfg.User.GID}
	}
	return attr
}
