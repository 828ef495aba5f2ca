package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"utrace/analyze"
)

// Exit statuses of utrace itself. The status of a recorded command is passed on.
const (
	statusFailed = 1
	statusUsage  = 2
	statusSignal = 128 // plus the number of the signal that killed the recorded command
)

// usageError is an error in how utrace was called: exit status 2 and a pointer to the help.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends utrace with this exit status. The reason has already been printed.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run is utrace: args are the arguments without the program's name. It returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(append([]string{}, args...)) // cobra takes nil for os.Args
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)

	cmd, err := root.ExecuteContextC(ctx)
	var exit exitError
	var habit habitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &habit):
		printError(stderr, err)
		return statusUsage
	case errors.As(err, new(usageError)):
		printError(stderr, err)
		fmt.Fprintf(stderr, "Try \"%s --help\".\n", cmd.CommandPath())
		return statusUsage
	}

	printError(stderr, err)
	return statusFailed
}

// printError prints an error of one or more lines. It may contain names of files and functions.
func printError(w io.Writer, err error) {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = analyze.Printable(line)
	}
	fmt.Fprintf(w, "utrace: %s\n", strings.Join(lines, "\n"))
}
