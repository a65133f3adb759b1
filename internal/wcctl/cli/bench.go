package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newBench(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "bench",
		GroupID: groupMeasure,
		Short:   "Measure a running Waste Coach",
	}
	cmd.AddCommand(newBenchPoll(con), newBenchPickup(con), newBenchSteady(con), newBenchBare(con))
	return cmd
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// missed says which demands a measurement does not meet.
func missed(faults []string) error {
	if len(faults) == 0 {
		return nil
	}
	return &Error{Cause: fmt.Errorf("not met: %s", strings.Join(faults, "; "))}
}
