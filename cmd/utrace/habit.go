package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// habitError names the command of utrace that does what a command of another tool does.
type habitError struct{ command, instead string }

func (e habitError) Error() string {
	return fmt.Sprintf("there is no %q: use %s", "utrace "+e.command, e.instead)
}

// newHabitCommands returns a hidden command for each command that users of uftrace, perf and
// trace-cmd may type out of habit. It takes any arguments and suggests what to type instead.
func newHabitCommands() []*cobra.Command {
	var list []*cobra.Command
	for _, h := range []habitError{
		{"report", `"utrace analyze TRACE"`},
		{"stat", `"utrace analyze TRACE"`},
		{"replay", `"utrace analyze --flow TRACE"`},
		{"graph", `"utrace analyze --tree TRACE"`},
		{"dump", `"utrace analyze --trace-event FILE TRACE", or "utrace export --parquet FILE TRACE"`},
		{"script", `"utrace analyze --flow TRACE", or "utrace export --parquet FILE TRACE" and any program that reads Parquet`},
		{"info", `"utrace analyze TRACE" (the header of the report describes the trace)`},
	} {
		list = append(list, &cobra.Command{
			Use:                h.command,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE:               func(*cobra.Command, []string) error { return h },
		})
	}
	return list
}
