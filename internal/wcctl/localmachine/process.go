package localmachine

import (
	"strconv"
	"strings"
)

// parentIn reads the parent's id from /proc/PID/stat, whose second field is a name in parentheses that
// may itself hold some.
func parentIn(stat string) int {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 || fields[0] == "Z" {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}
