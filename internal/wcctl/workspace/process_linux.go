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

// realm is this computer, its boot and this PID namespace.
func realm() string {
	var parts []string
	for _, path := range []string{"/etc/machine-id", "/proc/sys/kernel/random/boot_id"} {
		data, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		parts = append(parts, strings.TrimSpace(string(data)))
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.Join(append(parts, namespace), " ")
}

func sameRealm(a, b string) bool { return a == b && a != "" }

// rebooted tells whether realm a ended with an earlier boot of the computer of realm b. Host names
// do not tell computers apart.
func rebooted(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) > 1 && len(y) > 1 && x[0] == y[0] && x[0] != "" && x[1] != y[1]
}
