package workspace

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// startField is the place of the start time in /proc/PID/stat after the command's name: proc(5).
const startField = 19

// birth is when a process started, in ticks since the boot; it is empty for none.
func birth(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name may hold spaces and parentheses.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) <= startField || fields[0] == "Z" {
		return ""
	}
	return fields[startField]
}

// realm is this boot and this PID namespace.
func realm() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}

func sameRealm(a, b string) bool { return a == b && a != "" }

// rebooted tells whether realm a ended with an earlier boot of the computer of realm b.
func rebooted(a, b string) bool {
	bootA, _, okA := strings.Cut(a, " ")
	bootB, _, okB := strings.Cut(b, " ")
	return okA && okB && bootA != bootB
}
