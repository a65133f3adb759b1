//go:build e2e

package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// process is one of this computer as it was when it was seen.
type process struct {
	pid, parent int
	command     string
	// started tells it from a later one of the same number.
	started string
	// mounts is its mount namespace.
	mounts string
}

func processes(t *testing.T) []process {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var all []process
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		if p, ok := look(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// look is false for a process that has ended, a zombie included.
func look(pid int) (process, bool) {
	folder := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return process{}, false
	}
	// The name stands in parentheses and may hold anything.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const state, parent, started = 0, 1, 19
	if len(fields) <= started || fields[state] == "Z" || fields[state] == "X" {
		return process{}, false
	}
	p := process{pid: pid, started: fields[started]}
	p.parent, _ = strconv.Atoi(fields[parent])
	command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
	p.command = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
	p.mounts, _ = os.Readlink(filepath.Join(folder, "ns", "mnt"))
	return p, true
}

func (p process) alive() bool {
	now, ok := look(p.pid)
	return ok && now.started == p.started
}

// isMachine tells a machine and what runs in it from wcctl's own children: machines stay.
func (p process) isMachine() bool {
	now, ok := look(p.pid)
	own, _ := os.Readlink("/proc/self/ns/mnt")
	return ok && (now.mounts != own || strings.Contains(now.command, " machine run ") ||
		strings.Contains(now.command, " machine init"))
}

// descendants are a process's children and theirs.
func descendants(t *testing.T, pid int) []process {
	t.Helper()
	all := processes(t)
	family := map[int]bool{pid: true}
	var found []process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if family[p.parent] && !family[p.pid] {
				family[p.pid], grown = true, true
				found = append(found, p)
			}
		}
	}
	return found
}
