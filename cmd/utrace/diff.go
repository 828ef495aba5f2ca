//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"utrace/analyze"
	comparison "utrace/analyze/compare"
	"utrace/analyze/render"
)

// diffFlags are the flags of the subcommand as they are on the command line.
type diffFlags struct {
	failIf             []string
	minChange, pprof   string
	function           string
	raw, json          bool
	top                int
	oldPaths, newPaths []string
}

func newDiffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [flags] OLD NEW | OLD... -- NEW...",
		Short: "Compare traces: which functions have become slower, faster, new?",
		Long: `Diff compares two traces, or several of either side, function by function. What is
more than noise is marked with * and comes first.

With one or two traces a side the noise is taken from how each trace varies in
time and from how the functions' changes differ; what all functions have changed
by counts as the machine's. One run does not show how runs differ, so a tail (P90,
P99) must change a lot to count. Three or more traces a side do show it: then
nothing is taken off, and smaller changes count. Record old and new in turns.
A program compared with itself gets a mark in one of 20 tries; on a machine that is overloaded, in more.

Functions with ~ are shorter than what is known of their probes' cost. A change that
may be that cost is none. What is not of the same calls on both sides has - for its change: percentiles
if not all calls were kept, calls and times if a function was taken off meanwhile.

--fail-if is for scripts. It holds for significant changes only, and looks at
the change beyond that of all functions. If one holds, the exit status is 1 and
the message begins with "failed"; if the traces cannot be compared, or have too little in
them for the condition, it is 1, too, and the message begins with "could not compare".

  --fail-if '[PATTERN:] METRIC > CHANGE'     or <
  METRIC: calls, total, self, avg, p50, p90, p99, max (max needs three traces a side)
  CHANGE: +10%, -10%, +1ms, for calls also +100

Functions are the same if their names are, and the file names of module and source
where names are ambiguous. Calls, total and self time are per trace. If it was not
measured in all traces what the probes took, it is subtracted in none, as with --raw.`,
		Example: `  utrace diff monday.arrow tuesday.arrow
  utrace diff old1.arrow old2.arrow old3.arrow -- new1.arrow new2.arrow new3.arrow
  utrace diff --fail-if 'p50 > +10%' --fail-if 'handle_*: p99 > +1ms' old.arrow new.arrow
  utrace diff --pprof diff.pb.gz old.arrow new.arrow && go tool pprof -top diff.pb.gz`,
		Args: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			switch {
			case dash < 0 && len(args) == 2:
				dash = 1
			case dash < 0:
				return usageError{fmt.Errorf("%s: want OLD NEW, or OLD... -- NEW... for several", analyze.Plural(uint64(len(args)), "trace", "traces"))}
			case dash == 0 || dash == len(args):
				return usageError{errors.New("want traces before and after the --")}
			}
			f.oldPaths, f.newPaths = args[:dash], args[dash:]
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDiff(cmd.OutOrStdout(), cmd.ErrOrStderr(), &f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.failIf, "fail-if", nil, "exit with status 1 if a significant change meets `CONDITION`, such as 'p99 > +10%'; repeatable")
	flags.StringVar(&f.minChange, "min-change", "5%", "smaller changes (`PERCENT`) are never significant")
	flags.StringVar(&f.function, "function", "", "only functions that match `PATTERN`, a glob or a /regular expression/")
	flags.BoolVar(&f.raw, "raw", false, "durations as measured: what the probes took is not subtracted")
	flags.Var((*count)(&f.top), "top", "only the first `N` functions")
	flags.BoolVar(&f.json, "json", false, "print the comparison as JSON")
	flags.StringVar(&f.pprof, "pprof", "", "write a profile of the differences for pprof to `FILE`; - is standard output, without the table then")
	return cmd
}

// parse checks the flags.
func (f *diffFlags) parse() (opts analyze.Options, least float64, conditions []*comparison.Threshold, err error) {
	opts.Raw = f.raw
	least, err = strconv.ParseFloat(strings.TrimSuffix(f.minChange, "%"), 64)
	switch {
	case err != nil || !(least >= 0 && least <= 1e6):
		err = fmt.Errorf("--min-change %s: want a percentage, such as 5%%", f.minChange)
	case f.json && f.pprof == "-":
		err = errors.New("--json and --pprof -: both to standard output")
	case f.function != "":
		opts.Function, err = analyze.ParsePattern(f.function)
	}
	if err != nil {
		return opts, 0, nil, usageError{err}
	}
	for _, text := range f.failIf {
		c, err := comparison.ParseThreshold(text)
		if err != nil {
			return opts, 0, nil, usageError{fmt.Errorf("--fail-if: %w", err)}
		}
		conditions = append(conditions, c)
	}
	return opts, least / 100, conditions, nil
}

// runDiff prints the comparison and then says which conditions hold.
func runDiff(out, errOut io.Writer, f *diffFlags) error {
	opts, least, conditions, err := f.parse()
	if err != nil {
		return err
	}
	for _, side := range [][]string{f.oldPaths, f.newPaths} {
		if err := oneOfEach(side); err != nil {
			return err
		}
	}
	c, err := comparison.Diff(f.oldPaths, f.newPaths, opts, least)
	if err != nil {
		return fmt.Errorf("could not compare: %w", err)
	}
	printWarnings(errOut, c.Warnings)
	if f.pprof != "" {
		opts.Raw = c.Old.Probes.Raw
		if err := writeDiffProfile(out, f, opts); err != nil {
			return err
		}
	}
	var verdicts []render.Verdict
	var messages []string
	for _, cond := range conditions {
		met, err := cond.Check(c)
		if err != nil {
			messages = append(messages, "could not compare: "+errorText(err))
		}
		for _, ch := range met {
			messages = append(messages, fmt.Sprintf("failed: %s (--fail-if %q)", cond.Describe(ch), cond))
		}
		verdicts = append(verdicts, render.Verdict{Condition: cond, Met: met})
	}
	top := len(c.Changes)
	if f.top > 0 {
		top = min(top, f.top)
	}
	switch {
	case f.json:
		c.Changes = c.Changes[:top]
		err = render.DiffJSON(out, c, verdicts, words())
	case f.pprof != "-":
		err = render.Diff(out, c, top)
	}
	if err != nil || len(messages) == 0 {
		return err
	}
	for _, text := range messages {
		fmt.Fprintf(errOut, "utrace: %s\n", text)
	}
	return exitError(1)
}

func writeDiffProfile(out io.Writer, f *diffFlags, opts analyze.Options) error {
	for _, path := range slices.Concat(f.oldPaths, f.newPaths) {
		if sameFile(path, f.pprof) {
			return usageError{fmt.Errorf("--pprof %s: that is one of the traces", f.pprof)}
		}
	}
	p, _, err := comparison.Profile(f.oldPaths, f.newPaths, opts)
	if err != nil {
		return err
	}
	if f.pprof == "-" {
		return p.Write(out)
	}
	return intoFile("pprof", f.pprof, p.Write)
}
