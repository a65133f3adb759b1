// Package testprogram writes the programs that tests put in the place of real ones.
package testprogram

import (
	"os"
	"syscall"
	"testing"
)

// Write writes an executable file. Nobody forks meanwhile: a child of a test beside this one would
// hold the file open for writing until its own exec, and running the file then fails as busy.
func Write(t *testing.T, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, []byte(text), 0o700) //nolint:gosec // it is run
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
}
