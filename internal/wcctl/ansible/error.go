package ansible

import (
	"fmt"
	"strings"
)

// ProgramError is an ansible-playbook that is missing, too old or does not start.
type ProgramError struct{ Cause error }

// Error implements error.
func (e *ProgramError) Error() string { return "looking for Ansible: " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *ProgramError) Unwrap() error { return e.Cause }

// Hint is a command to paste.
func (e *ProgramError) Hint() string { return installHint }

// TaskError is a task that failed, or a machine that did not answer, with what it printed.
type TaskError struct {
	Phase string
	// Host and Task are empty where ansible-playbook itself failed.
	Host, Task string
	// Message is the sentence that says why.
	Message string
	// Output is the end of what the task printed, or else of what ansible-playbook printed.
	Output []string
	// Unreachable tells that SSH failed, not the task.
	Unreachable bool
	// Others are the machines on which something failed too.
	Others []string
}

// Error implements error.
func (e *TaskError) Error() string {
	var b strings.Builder
	b.WriteString(e.Phase)
	for _, part := range []string{e.Host, e.Task} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	fmt.Fprintf(&b, ": %s", e.Message)
	if len(e.Others) > 0 {
		fmt.Fprintf(&b, " (and on %s)", strings.Join(e.Others, ", "))
	}
	return b.String()
}
