package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// confirm asks on a terminal. Where nobody can answer it is an error that says how to do without.
func confirm(con *console, question, without string) error {
	if !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here: " + question), Hint: without, ExitCode: exitUsage,
		}
	}
	fmt.Fprintf(con.err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(con.in).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
