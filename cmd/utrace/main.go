//go:build linux

// Command utrace records the function calls of running programs and analyses
// the recordings. Run "utrace --help".
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// usageError is an error in how utrace was called: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends utrace with the exit status of the command it ran, or after it has said why itself.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	os.Exit(run())
}

func run() int {
	cmd, err := newRootCommand().ExecuteC()
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "utrace: %v\nTry \"%s --help\".\n", err, cmd.CommandPath())
		return 2
	}
	fmt.Fprintf(os.Stderr, "utrace: %v\n", err)
	return 1
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "utrace",
		Short: "Record the function calls of running programs, and analyse them",
		Long: `utrace attaches probes (eBPF uprobes) to functions of running programs, without
a rebuild or a restart, records every call into a file, and rebuilds from it the
flow of calls and the distribution of their latencies.

  sudo utrace record -d 30s -p PID       record the functions of a process
  utrace analyze trace.arrow             where does the time go?
  utrace list -p PID                     which static probes does a process have?
  sudo utrace doctor                     does recording work on this machine?`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.Help()
			return usageError{errors.New("no command given")}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRecordCommand(), newPlanCommand(), newListCommand(), newAnalyzeCommand(), newDiffCommand(), newExportCommand(), newDoctorCommand(), newVersionCommand())
	return root
}

// usageArgs makes the errors of a check of arguments usage errors.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
