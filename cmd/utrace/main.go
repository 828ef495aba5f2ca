//go:build linux

// Command utrace records the function calls of running programs and analyses
// the recordings. Run "utrace --help".
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

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
		Args:          knownCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.Help()
			return usageError{errors.New("no command given")}
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(newRecordCommand(), newPlanCommand(), newListCommand(), newAnalyzeCommand(), newDiffCommand(), newExportCommand(), newDoctorCommand(), newVersionCommand())
	refuseUnknown(root)
	return root
}

// knownCommand refuses words that are no command.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	var near []string
	for _, name := range cmd.SuggestionsFor(args[0]) {
		near = append(near, fmt.Sprintf("%q", cmd.CommandPath()+" "+name))
	}
	if len(near) > 0 {
		text += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{errors.New(text)}
}

// refuseUnknown has the commands that cobra brings along refuse what they do not know, as the others do.
func refuseUnknown(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				if err != nil || !found.HasSubCommands() {
					return err
				}
				return knownCommand(found, rest)
			}
		case "completion":
			cmd.Use, cmd.Args, cmd.SuggestionsMinimumDistance = "completion bash|zsh|fish|powershell", knownCommand, 2
			cmd.RunE = func(*cobra.Command, []string) error {
				return usageError{errors.New("for which shell? Want bash, zsh, fish or powershell")}
			}
			for _, shell := range cmd.Commands() {
				shell.Args = usageArgs(shell.Args)
			}
		}
	}
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
