package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"utrace/cmd/utrace/internal/browser"
	"utrace/format/packed"
)

func newViewCommand() *cobra.Command {
	f := analyzeFlags{flow: "braces"}
	cmd := &cobra.Command{
		Use:   "view [flags] TRACE",
		Short: "Browse a trace in the terminal: functions, call tree, flow, slowest calls",
		Long: `Show a trace in a full-screen browser, with the keys of less and of uftrace tui. It appears at once and
reads the trace in the background. TRACE may be compressed with zstd or gzip; - is standard input.

Views, and the keys that open them:
  1      functions, as in the report; s sorts by the next column, Enter shows the distribution
  2      tree of calls; Enter folds and unfolds
  3      flow of calls in the order of time
  4      the 100 slowest calls; Enter shows the calls below one
  5      how the trace was recorded, and warnings

h shows all keys. / searches for a regular expression, in the tree in folded nodes as well. q quits.`,
		Example: `  utrace view trace.arrow
  utrace view --function 'handle_*' --sort p99 trace.arrow
  utrace view -f time,duration,tid trace.arrow`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("%d traces given: want one", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, key, err := f.options()
			if err != nil {
				return err
			}
			if !isTerminal(cmd.OutOrStdout()) {
				return errors.New("view needs a terminal: use utrace analyze to write to a pipe or a file")
			}
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			opts.Open = traces.Open
			source, err := f.symbols.open(&opts)
			if err != nil {
				return err
			}
			defer source.Close()
			signals := signalsOf(cmd.Context())
			signals.catch() // else they would leave the terminal as the browser needs it
			defer signals.release()
			err = browser.Run(cmd.Context(), browser.Config{
				Path: args[0], Options: opts, Sort: key, Fields: f.fields.fields,
				Suspend: func() { syscall.Kill(0, syscall.SIGTSTP) },
			})
			if sig, ok := endedBy(cmd.Context()).(syscall.Signal); ok {
				return exitError(statusSignal + int(sig))
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.addSelection(flags)
	endGroup(flags, "Select calls")
	f.addFigures(flags)
	endGroup(flags, "Sort, group and count")
	f.symbols.add(flags)
	endGroup(flags, "Names")
	f.addFields(flags, "in the flow, ")
	endGroup(flags, "Show")
	return cmd
}
