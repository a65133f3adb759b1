package phase

import (
	"fmt"
	"strings"
)

// Document is docs/cluster/phases.md.
func Document(phases []Phase) string {
	var b strings.Builder
	b.WriteString(`# The phases of wcctl up

<!-- Made from internal/wcctl/phase: go test ./internal/wcctl/phase -update -->

` + "`wcctl plan`, `wcctl up` and this page come from one list. Every phase can run again at any time: it\n" +
		"tells whether it has work, and what is done is left alone. So an interrupted, failed or killed `up` is\n" +
		"taken up again by the same command.\n\n" + `| # | phase | where | what |
|---|---|---|---|
`)
	for i, p := range phases {
		fmt.Fprintf(&b, "| %d | [%s](#%s) | %s | %s |\n", i+1, p.Name(), p.Name(), p.Place(), p.Title())
	}
	for _, p := range phases {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", p.Name(), wrap(p.About()))
	}
	b.WriteString(`
## How a phase knows that it is done

After a phase succeeded on a machine, wcctl leaves a record there:
` + "`/var/lib/wastecoach/phases/<phase>.json`" + ` with fingerprints of the role's files and of the variables that the
role declares, and beside it the SHA-256 of every file that the phase manages. ` +
		"`plan` and the next `up`" + `
compare them by one command per machine, so neither runs Ansible to find that nothing changed. The
record is removed before the phase runs again: a run that is killed leaves none. Why it is done this
way: [ADR 6](../adr/0006-a-record-on-each-machine-instead-of-a-check-run.md).

` + "`wcctl up --only PHASE --again`" + ` does a phase where it is done, too.

## What cannot be changed

What kubeadm init was told is in ` + "`" + settingsFile + "`" + ` on the control plane: the
release, the subnets, the endpoint, the certificate's names, the pod network. A configuration that
says something else is refused with both values: a plan that listed it would promise what ` + "`up`" + `
cannot do. Another release is brought by [wcctl upgrade](upgrade.md).

Where the control plane is gone and workers are still in its cluster, ` + "`up`" + ` refuses to make another one:
they would not be taken in. [A backup](backup.md) brings the lost one back.

A setting for which Terraform would delete or replace the control plane's machine (another region,
subnet or disk of the machines) is refused while that machine answers and has a cluster.

## What is tried again

A machine that goes away during a phase (a reboot, a cut connection) is waited for, and the phase is
taken up again, at most three times. Nothing else is tried twice: a task that failed once for a
reason of its own would only fail later.
`)
	return b.String()
}

const pageWidth = 100

func wrap(text string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > pageWidth:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
