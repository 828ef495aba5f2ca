package main

import (
	"cmp"
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
	"utrace/analyze/render/terminal"
	"utrace/analyze/why"
	"utrace/format/packed"
)

// diffFlags are the flags of the subcommand as they are on the command line.
type diffFlags struct {
	failIf             []string
	minChange          string
	pprof, flame, html string
	function, why      string
	raw, json          bool
	top                int
	oldPaths, newPaths []string
	symbols            symbolFiles
	screen             screenFlags
}

func newDiffCommand() *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [flags] OLD NEW | OLD... -- NEW...",
		Short: "Compare traces: which functions became slower or faster?",
		Long: `Compare two traces, or several on each side, function by function. A change that is more than noise
is marked with * and comes first. Traces may be compressed with zstd or gzip; - is standard input.

One or two traces a side: the noise is estimated from how each trace varies in time and how the
functions' changes differ. The change that all functions share is attributed to the machine. One run
does not show how runs differ, so a tail (P90, P99) must change a lot to be marked.

Three or more traces a side: the noise is measured between runs. Nothing is attributed to the
machine, and smaller changes are marked. Record old and new in turns.

A program compared with itself gets a mark in one of 20 tries, on an overloaded machine more often.

Marks:
  *  a significant change
  ~  the time is smaller than the uncertainty of the probe cost
  -  no change can be given: percentiles if the sides kept different calls, and figures of a survey
     that are only bounds

--fail-if '[PATTERN:] METRIC > CHANGE' is for scripts (also <). The change that all functions share is
subtracted first, and only significant changes count. If one meets the condition, the exit status is 1
and the message begins with "failed". It is also 1, with "could not compare", if the traces cannot be
compared or hold too little for the condition.

  METRIC    calls, total, self, avg, p50, p90, p99, or max (which needs three traces a side)
  CHANGE    +10%, -10% or +1ms; for calls also +100`,
		Example: `  utrace diff monday.arrow tuesday.arrow
  utrace diff old1.arrow old2.arrow old3.arrow -- new1.arrow new2.arrow new3.arrow
  utrace diff --fail-if 'p50 > +10%' --fail-if 'handle_*: p99 > +1ms' old.arrow new.arrow
  utrace diff --why handle old.arrow new.arrow
  utrace diff --flame diff.svg old.arrow new.arrow
  utrace diff --html diff.html old.arrow new.arrow
  utrace diff --pprof diff.pb.gz old.arrow new.arrow && go tool pprof -top diff.pb.gz`,
		Annotations: map[string]string{moreKey: `
  man utrace-diff         how functions and traces are matched (docs/comparing.md)`},
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
			traces := packed.NewOpener(cmd.InOrStdin())
			defer traces.Close()
			return runDiff(cmd.OutOrStdout(), cmd.ErrOrStderr(), traces, &f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.failIf, "fail-if", nil, "exit with status 1 if a significant change meets `CONDITION`, such as 'p99 > +10%'; repeatable")
	flags.StringVar(&f.minChange, "min-change", "5%", "never mark changes smaller than `PERCENT`")
	flags.StringVar(&f.function, "function", "", "only functions that match `PATTERN`, a glob or a /regular expression/")
	f.symbols.add(flags)
	flags.BoolVar(&f.raw, "raw", false, "compare times as measured, without subtracting the cost of the probes")
	flags.Var((*count)(&f.top), "top", "only the first `N` functions")
	flags.BoolVar(&f.json, "json", false, "print the comparison as JSON")
	flags.StringVar(&f.why, "why", "", "print where the change of the calls of `FUNC` is, instead of the table")
	flags.StringVar(&f.html, "html", "", "write one page for a browser to `FILE` (- is standard output, without the table)")
	flags.StringVar(&f.pprof, "pprof", "", "write a profile of the differences for pprof to `FILE` (- is standard output, without the table)")
	flags.StringVar(&f.flame, "flame", "", "write a flame graph of the differences to `FILE`, as SVG: red is more self time, blue is less")
	f.screen.add(flags)
	return cmd
}

// parse checks the flags.
func (f *diffFlags) parse() (opts analyze.Options, minChange float64, conditions []*comparison.Threshold, err error) {
	opts.Raw = f.raw
	minChange, err = strconv.ParseFloat(strings.TrimSuffix(f.minChange, "%"), 64)
	switch {
	case err != nil || !(minChange >= 0 && minChange <= 1e6):
		err = fmt.Errorf("--min-change %s: want a percentage, such as 5%%", f.minChange)
	case f.why != "" && (f.pprof != "" || f.flame != "" || f.html != "" || len(f.failIf) > 0 || f.function != ""):
		err = errors.New("--why FUNC explains one function, without --html, --pprof, --flame, --fail-if and --function")
	case f.function != "":
		opts.Function, err = analyze.ParsePattern(f.function)
	}
	err = cmp.Or(err, f.checkFiles())
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
	return opts, minChange / 100, conditions, nil
}

// runDiff prints the comparison, and then the conditions that changes meet.
func runDiff(out, errOut io.Writer, traces *packed.Opener, f *diffFlags) error {
	opts, minChange, conditions, err := f.parse()
	if err != nil {
		return err
	}
	opts.Open = traces.Open
	for _, side := range [][]string{f.oldPaths, f.newPaths} {
		if err := oneOfEach(side); err != nil {
			return err
		}
	}
	source, err := f.symbols.open(&opts)
	if err != nil {
		return err
	}
	defer source.Close()
	if f.why != "" {
		return explainChange(out, errOut, f, opts)
	}
	c, err := comparison.Diff(f.oldPaths, f.newPaths, opts, minChange)
	if err != nil {
		return fmt.Errorf("could not compare: %w", err)
	}
	opts.Raw = c.Old.Probes.Raw
	warnings, err := f.writeFiles(out, opts, c)
	printWarnings(errOut, slices.Concat(c.Warnings, warnings, f.symbols.unused(source)))
	if err != nil {
		return err
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
	case !f.fileOnStdout():
		err = render.Diff(out, c, top, f.screen.screen(out))
	}
	if err != nil || len(messages) == 0 {
		return err
	}
	screen := f.screen.screen(errOut)
	for _, text := range messages {
		fmt.Fprintln(errOut, screen.Paint("utrace: "+analyze.Printable(text), terminal.Bad))
	}
	return exitError(1)
}

// explainChange prints where the change of a function's calls is.
func explainChange(out, errOut io.Writer, f *diffFlags, opts analyze.Options) error {
	function, err := analyze.ParsePattern(f.why)
	if err != nil {
		return usageError{fmt.Errorf("--why: %w", err)}
	}
	x, err := why.ExplainChange(f.oldPaths, f.newPaths, function, opts)
	if err != nil {
		return fmt.Errorf("could not compare: %w", err)
	}
	printWarnings(errOut, x.Warnings)
	switch {
	case x.Calls == 0:
		return fmt.Errorf("--why %s: no function with a complete call matches", f.why)
	case f.json:
		return render.WhyJSON(out, x, words())
	}
	return render.Why(out, x, words(), f.screen.screen(out))
}
