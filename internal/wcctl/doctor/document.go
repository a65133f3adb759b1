package doctor

import (
	"fmt"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

// Document is docs/cluster/doctor.md.
func Document() string {
	var b strings.Builder
	b.WriteString(`# wcctl doctor

<!-- Made from internal/wcctl/doctor: go test ./internal/wcctl/doctor -update -->

` + "`wcctl doctor`" + ` collects what the machines and the API server know, looks for the faults below, says the
cause and a hint of each, and packs everything into one archive. ` + "`wcctl up`" + ` words a failed task by the
same list.

- Per machine, by one SSH command that changes nothing: journals of kubelet, containerd and the kernel,
  logs of the control plane's parts, kubelet's and containerd's configuration, static pods, containers and
  images, disks, memory, addresses, routes, open ports, nftables, names, clock.
- From the API server: conditions, nodes, a table of pods with the logs of system pods and ill ones, events.
  No Secret and no ConfigMap is read, and no variable of a pod.
- From this computer: wcctl's last three run logs.

What looks like a token, key or password is replaced by ` + "`" + redact.Hidden + "`" + ` before anything is
written. A machine that does not answer is named, and the others are examined all the same.

A fault counts as one **now** if its last trace is younger than 15 minutes. What is normal while a machine
starts counts only if it goes on. Older traces are listed as seen earlier.

| fault | what it is | cause | try |
|---|---|---|---|
`)
	for _, f := range catalog() {
		hint := strings.ReplaceAll(f.Hint, "\n", "`<br>`")
		fmt.Fprintf(&b, "| %s | %s | %s | `%s` |\n", f.ID, cell(f.Title), cell(f.Cause), cell(hint))
	}
	return b.String()
}

// cell keeps a bar from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
