//go:build unix && !linux

package ansible

import "syscall"

// ownGroup lets one signal reach ansible-playbook and all it starts.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
