package ansible

import "syscall"

// ownGroup lets one signal reach ansible-playbook and all it starts, and ends it with wcctl.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
