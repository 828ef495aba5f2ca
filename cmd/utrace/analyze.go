//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"utrace/analyze"
	"utrace/analyze/render"
)

// analyzeFlags are the flags of the subcommand as they are on the command line.
type analyzeFlags struct {
	flow           flowLayout
	pprof          string
	tree, json     bool
	sort, function string
	by             string
	errors         []string
	top, slowest   int
	pids, tids     []int
	from, to       time.Duration
}

// maxSlowest bounds what is kept of slow calls, and how many of them a call is looked at for that lies inside them.
const maxSlowest = 10_000

// flowLayout is the flag --flow, which needs no value.
type flowLayout string

func (l *flowLayout) String() string { return string(*l) }

// Type has the help show a flag without a value.
func (l *flowLayout) Type() string { return "bool" }

func (l *flowLayout) Set(text string) error {
	switch text {
	case "true", "braces":
		*l = "braces"
	case "arrows":
		*l = "arrows"
	default:
		return errors.New("want --flow or --flow=arrows")
	}
	return nil
}

func newAnalyzeCommand() *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze [flags] TRACE...",
		Short: "Show what a trace holds: calls, latencies, call flow, profiles",
		Long: `Analyze reads one or more traces and shows what was called, in which order, and
where the time went. Without a view flag it prints the report: a header and a
table of the functions with their latencies. Several traces give one report.

Total time counts a recursive function once per outermost call; self time leaves
out the traced callees. Only complete calls have a duration: calls whose return
was not seen are counted, and listed as incomplete. Percentiles are wrong by at
most 1%; the other figures are exact.

Where utrace record --sched has recorded the scheduler, the total time of each function is
divided: on CPU; runnable, when it waited for a processor; blocked, when it slept or waited for something
else. --flow then shows each wait, and who ended it; --pprof has the parts of the self time: cpu, and
offcpu for the other two.

A function marked with * was taken off while recording (utrace record --max-overhead): its figures
are those of the time before.

With --by, a call belongs to the value of the nearest call around it, itself
included, that has the argument; a result is of its own call only. ? stands for
what could not be read, - for calls without a value.

Errors are complete calls with a negative result or a null pointer, where the
result was recorded with its type, or with an errno. An --error RULE replaces
that for the functions that it is about: [PATTERN: ]CONDITION, with == != < <= >
>= =~"glob" && || ! over arguments and results by name; ret is the result or, if
none was recorded, the return register as a signed number.

Results go to standard output, warnings to standard error.`,
		Example: `  utrace analyze trace.arrow
  utrace analyze --sort p99 --top 20 trace.arrow
  utrace analyze --flow --from 1.5s --to 1.6s --tid 4711 trace.arrow
  utrace analyze --tree --function 'handle_*' trace.arrow
  utrace analyze --slowest 5 --function 'handle_*' trace.arrow
  utrace analyze --by node --error 'ret != 0' trace.arrow
  utrace analyze --pprof out.pb.gz trace.arrow && go tool pprof -http=: out.pb.gz
  utrace analyze --json monday.arrow tuesday.arrow`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnalyze(cmd.OutOrStdout(), cmd.ErrOrStderr(), args, &f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.flow, "flow", "print the calls in the order of time, in uftrace's layout; --flow=arrows: in uflow's")
	flags.Lookup("flow").NoOptDefVal = "true"
	flags.BoolVar(&f.tree, "tree", false, "print the calls summed up by call path")
	flags.IntVar(&f.slowest, "slowest", 0, "print the `N` slowest calls (of the functions that --function names), each with what is below it")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.StringVar(&f.pprof, "pprof", "", "write a profile for pprof to `FILE`")
	flags.StringVar(&f.sort, "sort", "total", "sort the report by `KEY`: total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name")
	flags.IntVar(&f.top, "top", 0, "only the first `N` functions of the report")
	flags.StringVar(&f.function, "function", "", "only functions that match `PATTERN`, a glob or a /regular expression/; in --flow, --tree and --pprof with all that they call")
	flags.StringVar(&f.by, "by", "", "group the report, --tree and --pprof by `KEY`: pid, tid, comm, or the name of a recorded argument or result (ret: the result)")
	flags.StringArrayVar(&f.errors, "error", nil, "count calls as errors by `RULE`, a condition such as 'ret < 0' or 'malloc: ret == 0' on the functions that have what it names; repeatable")
	flags.IntSliceVar(&f.pids, "pid", nil, "only this process (`PID`); repeatable")
	flags.IntSliceVar(&f.tids, "tid", nil, "only this thread (`TID`); repeatable")
	flags.DurationVar(&f.from, "from", 0, "only calls that begin this long after the start (`TIME`, such as 1.5s), or later")
	flags.DurationVar(&f.to, "to", 0, "only calls that begin before this long after the start (`TIME`)")
	return cmd
}

// options checks the flags.
func (f *analyzeFlags) options() (analyze.Options, analyze.SortKey, error) {
	opts := analyze.Options{PIDs: f.pids, TIDs: f.tids, From: f.from, To: f.to, By: f.by}
	key, err := analyze.ParseSortKey(f.sort)
	switch {
	case err != nil:
	case f.slowest < 0 || f.slowest > maxSlowest:
		err = fmt.Errorf("--slowest %d: want 1 to %d", f.slowest, maxSlowest)
	case f.top < 0:
		err = fmt.Errorf("--top %d: want a positive number", f.top)
	case f.from < 0 || f.to < 0 || f.to != 0 && f.to <= f.from:
		err = fmt.Errorf("--from %v --to %v: want 0 <= from < to", f.from, f.to)
	case f.function != "":
		opts.Function, err = analyze.ParsePattern(f.function)
	}
	if err == nil {
		if opts.Errors, err = analyze.ParseErrorRules(f.errors); err != nil {
			err = fmt.Errorf("--error: %w", err)
		}
	}
	if err != nil {
		return opts, key, usageError{err}
	}
	return opts, key, nil
}

// runAnalyze prints the views that were asked for, each from a pass of its own
// over the traces, and then all warnings.
func runAnalyze(out, errOut io.Writer, paths []string, f *analyzeFlags) error {
	opts, key, err := f.options()
	if err != nil {
		return err
	}
	if err := oneOfEach(paths); err != nil {
		return err
	}
	var warnings []string
	defer func() {
		for i, text := range warnings {
			if !slices.Contains(warnings[:i], text) {
				fmt.Fprintf(errOut, "utrace: warning: %s\n", text)
			}
		}
	}()
	if f.flow != "" {
		w, err := render.Flow(out, paths, opts, f.flow == "arrows")
		warnings = append(warnings, w...)
		if err != nil {
			return err
		}
	}
	if f.tree {
		tree, err := analyze.CallTree(paths, opts)
		if err != nil {
			return err
		}
		warnings = append(warnings, tree.Warnings...)
		if err := render.Tree(out, tree); err != nil {
			return err
		}
	}
	if f.slowest > 0 {
		slow, err := analyze.Slowest(paths, f.slowest, opts)
		if err != nil {
			return err
		}
		warnings = append(warnings, slow.Warnings...)
		if err := render.Slowest(out, slow); err != nil {
			return err
		}
	}
	if f.pprof != "" {
		for _, path := range paths {
			if sameFile(path, f.pprof) {
				return usageError{fmt.Errorf("--pprof %s: that is the trace itself", f.pprof)}
			}
		}
		profile, w, err := analyze.Profile(paths, opts)
		if err != nil {
			return err
		}
		warnings = append(warnings, w...)
		if err := render.Profile(f.pprof, profile); err != nil {
			return err
		}
	}
	if !f.json && (f.flow != "" || f.tree || f.slowest > 0) {
		return nil
	}
	result, err := analyze.Report(paths, opts)
	if err != nil {
		return err
	}
	warnings = append(warnings, result.Warnings...)
	result.Sort(key)
	if f.top > 0 {
		result.Rows = result.Rows[:min(f.top, len(result.Rows))]
	}
	if f.json {
		return render.JSON(out, result)
	}
	return render.Report(out, result)
}

// oneOfEach refuses a trace that is given twice: its calls would count twice.
func oneOfEach(paths []string) error {
	var before []os.FileInfo
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		for k, other := range before {
			if os.SameFile(info, other) {
				return usageError{fmt.Errorf("%s and %s are the same file: its calls would count twice", paths[k], paths[i])}
			}
		}
		before = append(before, info)
	}
	return nil
}

func sameFile(a, b string) bool {
	ai, aerr := os.Stat(a)
	bi, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(ai, bi)
}
