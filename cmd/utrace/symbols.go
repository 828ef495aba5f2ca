package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"utrace/analyze"
	"utrace/format/packed"
	"utrace/record/debuginfod"
	"utrace/record/symbols"
)

func newSymbolsCommand() *cobra.Command {
	var files symbolFiles
	cmd := &cobra.Command{
		Use:   "symbols [flags] TRACE...",
		Short: "List what lacks names in a trace, and say how to get them",
		Long: `List the programs and libraries with functions that had no name when they were recorded, because they
were stripped. For each, print the number of such functions, of all its functions in the trace, and of
the calls of functions without a name; then its build ID and, if there is one, its debug file.

If $DEBUGINFOD_URLS names servers, the debug files that are missing are downloaded. utrace analyze
--symbols uses them.`,
		Example: `  utrace symbols trace.arrow
  DEBUGINFOD_URLS=https://debuginfod.debian.net utrace symbols trace.arrow
  utrace analyze --symbols ./build/server trace.arrow`,
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOfEach(args); err != nil {
				return err
			}
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			opts := analyze.Options{Open: traces.Open}
			source, err := files.open(&opts)
			if err != nil {
				return err
			}
			defer source.Close()
			list, warnings, err := analyze.Nameless(args, opts)
			if err != nil {
				return err
			}
			printWarnings(cmd.ErrOrStderr(), warnings)
			return printNameless(cmd.OutOrStdout(), list, newDebuginfod(cmd.Context(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().SortFlags = false
	files.add(cmd.Flags())
	return cmd
}

// printNameless writes the figures and the build ID of each module, and then what to do.
func printNameless(out io.Writer, list []analyze.NamelessModule, client *debuginfod.Client) error {
	w := bufio.NewWriter(out)
	if len(list) == 0 {
		fmt.Fprintln(w, "all functions have names")
		return w.Flush()
	}
	fmt.Fprintf(w, "# %8s %9s %12s  %s\n", "NAMELESS", "FUNCTIONS", "CALLS", "MODULE")
	for _, m := range list {
		fmt.Fprintf(w, "%10d %9d %12d  %s\n", m.Nameless, m.Funcs, m.Calls, analyze.Printable(m.Path))
		if m.BuildID == "" {
			fmt.Fprintf(w, "%35sno build ID: link it with --build-id, and record again\n", "")
			continue
		}
		fmt.Fprintf(w, "%35sbuild ID %s\n", "", analyze.Printable(m.BuildID))
		if path := debugFile(m, client); path != "" {
			fmt.Fprintf(w, "%35s--symbols %s\n", "", path)
		}
	}
	if !slices.ContainsFunc(list, func(m analyze.NamelessModule) bool { return m.BuildID != "" }) {
		return w.Flush() // no debug file can be found for these
	}
	fmt.Fprintln(w, "# utrace analyze --symbols FILE names functions by a debug file, or by the program before it was stripped.")
	if client == nil {
		fmt.Fprintln(w, "# To download debug files, set DEBUGINFOD_URLS.")
	}
	return w.Flush()
}

// debugFile returns the debug file of a module that is installed, or can be downloaded; "" if there
// is none.
func debugFile(m analyze.NamelessModule, client *debuginfod.Client) string {
	path := symbols.Installed(m.BuildID)
	if path == "" && client != nil {
		client.Fetch(m.BuildID, m.Path)
		path = client.Cached(m.BuildID)
	}
	return path
}

// symbolFiles is the flag --symbols.
type symbolFiles []string

func (f *symbolFiles) add(flags *pflag.FlagSet) {
	flags.StringArrayVar((*[]string)(f), "symbols", nil,
		"name the functions that had no name when they were recorded by the symbols of `FILE`: a debug file or program, or all below a directory; repeatable")
}

// open opens the files, and lets opts take names from them. Close the result, which may be empty.
func (f *symbolFiles) open(opts *analyze.Options) (*symbols.Source, error) {
	source, err := symbols.Open(*f)
	if err != nil {
		return nil, usageError{fmt.Errorf("--symbols: %w", err)}
	}
	if len(*f) > 0 {
		opts.Name = source.Name
	}
	return source, nil
}

// unused returns a warning if files were given, and no function got a name.
func (f *symbolFiles) unused(source *symbols.Source) []analyze.Warning {
	if len(*f) == 0 || source.Used() {
		return nil
	}
	return []analyze.Warning{{Text: "--symbols " + strings.Join(*f, ", ") + ": no function got a name: utrace symbols TRACE lists the build IDs that lack names"}}
}
