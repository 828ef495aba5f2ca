package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
		fmt.Fprintf(stderr, "utrace: %v\n", err)
		return statusUsage
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "utrace: %v\nTry \"%s --help\".\n", err, cmd.CommandPath())
		return statusUsage
	}

	fmt.Fprintf(stderr, "utrace: %v\n", err)
	return statusFailed
}
