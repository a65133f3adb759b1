package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func newConfigValidate(con *console) *cobra.Command {
	var (
		file   clusterFile
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "List every fault of the file, with its line and a hint",
		Long: `List every fault of the file at once, with its line, its key and a hint.

With -o json the answer is one document, on standard output in either case:

  {"file": PATH, "valid": BOOL,
   "faults": [{"path": KEY, "line": N, "text": TEXT, "hint": HINT, "warning": BOOL}, ...]}

line, hint and warning are missing where there is none. The exit code is 1 when there
is a fault; warnings alone stop nothing.`,
		Example: `  wcctl config validate
  wcctl init --target local -f - | wcctl config validate - -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			fileOrArgument(&file, args)
			return runConfigValidate(con, &file, format)
		},
	}
	file.register(cmd)
	format.register(cmd)
	return cmd
}

// validation is the answer of `wcctl config validate`.
type validation struct {
	File   string       `json:"file"`
	Valid  bool         `json:"valid"`
	Faults []spec.Fault `json:"faults"`
}

func runConfigValidate(con *console, file *clusterFile, format outputFormat) error {
	path := file.path(con)
	faults, err := file.check(con)
	if err != nil {
		return err
	}
	answer := validation{File: path, Valid: !spec.Stops(faults), Faults: faults}
	if format == outputJSON {
		if err := writeJSON(con.out, answer); err != nil {
			return err
		}
	} else {
		showValidation(con, answer)
	}
	if answer.Valid {
		return nil
	}
	found := &spec.FaultsError{File: path, Faults: faults}
	return &Error{Cause: errors.New(found.Summary())}
}

// showValidation prints a fault per line with its hint below it.
func showValidation(con *console, answer validation) {
	style := newTheme(con.colored(con.out))
	for _, f := range answer.Faults {
		mark := style.bad("✗")
		if f.Warning {
			mark = style.warning("!")
		}
		fmt.Fprintf(con.out, "%s %s  %s\n", mark, style.faint(spec.Position(answer.File, f.Line)), f)
		if f.Hint != "" {
			fmt.Fprintf(con.out, "    %s\n", f.Hint)
		}
	}
	if answer.Valid {
		fmt.Fprintf(con.out, "%s is valid\n", answer.File)
	}
}
