//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"utrace/analyze"
)

// analyzeFlags are the flags of the subcommand as they are on the command line.
type analyzeFlags struct {
	flow                   flowLayout
	hist, heatmap          string
	pprof, folded, flame   string
	heatmapSVG, traceEvent string
	tree, json, csv        bool
	spark, sparkSet, raw   bool
	toSet                  bool
	sort, function, by     string
	errors                 []string
	top, slowest           int
	pids, tids             []int
	flows                  []string
	from, to, min          time.Duration
}

// everyFunction is the value of --hist without a function, and matches every one.
const everyFunction = "*"

// histFunction is the flag --hist, which needs no value.
type histFunction string

func (h *histFunction) String() string { return string(*h) }

// Type has the help show a flag without a value.
func (h *histFunction) Type() string { return "bool" }

func (h *histFunction) Set(text string) error {
	if *h = histFunction(text); text == "true" {
		*h = everyFunction
	}
	return nil
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

What the probes themselves took was measured when the trace was recorded, and is subtracted from
all times, and so is the time in which the recorder ran in the place of traced threads; the
header says how much (--raw: not subtracted). A function marked with ~ is too short for
that: what is left of its times is less than what the cost is known by. Calls during which
events were lost are in total and self time only, and listed as uncertain; --hist, --heatmap and
--slowest leave them out and say how many they are, --flow and --trace-event mark them.

Where utrace record --sched has recorded the scheduler, the total time of each function is
divided: on CPU; runnable, when it waited for a processor; blocked, when it slept or waited for something
else. --flow then shows each wait, and who ended it; --pprof has the parts of the self time: cpu, and
offcpu for the other two.

A function marked with * was taken off while recording (utrace record --max-overhead): its figures
are those of the time before.

With --by, a call belongs to the value of the nearest call around it, itself
included, that has the argument; a result is of its own call only. ? stands for
what could not be read, - for calls without a value. A call inside one of the same
function counts in the total time if it has another argument, not if it has another result.

Errors are complete calls with a negative result or a null pointer, where the
result was recorded with its type, or with an errno. An --error RULE replaces
that for the functions that it is about: [PATTERN: ]CONDITION, with == != < <= >
>= =~"glob" && || ! over arguments and results by name; ret is the result or, if
none was recorded, the return register as a signed number. errno and enums are
compared with names: errno == "ENOENT".

Views are combined by giving several flags. FILE is written beside the report,
readable for its owner only; - is standard output, without the report then.

With --min, the report, --hist and --heatmap count only complete calls that took
at least that long. --flow, --tree and the files show these, and the calls that
they were made from where those have no return.

--trace-event has times as measured, for those without the cost of probes would not lie
inside of each other: duration_ns is corrected. It writes at most a million calls, the longest of the selected ones, of equal ones the first:
viewers open no more. It says so, and from which duration on. --heatmap FUNC does
not look at --function, and --hist FUNC not at --top.

Results go to standard output, warnings to standard error.`,
		Example: `  utrace analyze trace.arrow
  utrace analyze --sort p99 --top 20 trace.arrow
  utrace analyze --flow --from 1.5s --to 1.6s --tid 4711 trace.arrow
  utrace analyze --tree --function 'handle_*' trace.arrow
  utrace analyze --slowest 5 --function 'handle_*' trace.arrow
  utrace analyze --by node --error 'ret != 0' trace.arrow
  utrace analyze --hist handle_request trace.arrow
  utrace analyze --heatmap handle_request --heatmap-svg heat.svg trace.arrow
  utrace analyze --flow --min 1ms trace.arrow
  utrace analyze --folded - trace.arrow | flamegraph.pl --countname ns > flame.svg
  utrace analyze --pprof out.pb.gz trace.arrow && go tool pprof -http=: out.pb.gz
  utrace analyze --json monday.arrow tuesday.arrow`,
		Args: traceArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.sparkSet, f.toSet = cmd.Flags().Changed("spark"), cmd.Flags().Changed("to")
			args = f.histArgument(args)
			return runAnalyze(cmd.OutOrStdout(), cmd.ErrOrStderr(), args, &f)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.flow, "flow", "print the calls in the order of time, in uftrace's layout; --flow=arrows: in uflow's")
	flags.Lookup("flow").NoOptDefVal = "true"
	flags.BoolVar(&f.tree, "tree", false, "print the calls summed up by call path")
	flags.Var((*count)(&f.slowest), "slowest", "print the `N` slowest calls (of the functions that --function names), each with what is below it")
	flags.Var((*histFunction)(&f.hist), "hist", "print the distributions of latencies as bcc does; --hist FUNC: of functions that match")
	flags.Lookup("hist").NoOptDefVal = "true"
	flags.StringVar(&f.heatmap, "heatmap", "", "print how the latency of functions that match `FUNC` changes over time")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.BoolVar(&f.csv, "csv", false, "print the functions of the report as CSV, with the keys of JSON")
	flags.BoolVar(&f.spark, "spark", false, "in the report, draw each distribution in a column ahead of the function (default on a terminal)")
	flags.StringVar(&f.heatmapSVG, "heatmap-svg", "", "write what --heatmap prints to `FILE`, as SVG")
	flags.StringVar(&f.pprof, "pprof", "", "write a profile for pprof to `FILE`")
	flags.StringVar(&f.folded, "folded", "", "write folded stacks with the self time in ns to `FILE`, for flamegraph.pl and speedscope")
	flags.StringVar(&f.flame, "flame", "", "write a flame graph to `FILE`, as SVG")
	flags.StringVar(&f.traceEvent, "trace-event", "", "write trace events to `FILE`, for Perfetto and chrome://tracing; with --top only calls of these functions")
	flags.StringVar(&f.sort, "sort", "total", "sort the report by `KEY`: total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name")
	flags.Var((*count)(&f.top), "top", "only the first `N` functions of the report")
	flags.StringVar(&f.function, "function", "", "only functions that match `PATTERN`, a glob or a /regular expression/; in --flow, --tree and the files with all that they call")
	flags.StringVar(&f.by, "by", "", "group the report, --tree, --flame and --pprof by `KEY`: pid, tid, comm, or the name of a recorded argument or result (ret: the result)")
	flags.StringArrayVar(&f.errors, "error", nil, "count calls as errors by `RULE`, a condition such as 'ret < 0' or 'malloc: ret == 0' on the functions that have what it names; repeatable")
	flags.Var(&idList{&f.pids, "process"}, "pid", "only this process (`PID`); repeatable")
	flags.Var(&threadList{idList{&f.tids, "thread"}, &f.flows}, "tid", "only this thread (`TID`), with the goroutines and tracks first seen on it, or this goroutine or track, as --flow names them: g18, s1; repeatable")
	flags.BoolVar(&f.raw, "raw", false, "durations as measured: what the probes took is not subtracted")
	flags.Var((*duration)(&f.from), "from", "only calls that begin this long after the start (`TIME`, such as 1.5s), or later")
	flags.Var((*duration)(&f.to), "to", "only calls that begin before this long after the start (`TIME`)")
	flags.Var((*duration)(&f.min), "min", "only complete calls that took at least this long (`DURATION`, such as 1ms)")
	return cmd
}

// traceArgs refuses a command line without a trace.
func traceArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("no trace given: want the file that utrace record has written, as the last argument")}
	}
	return nil
}

// options checks the flags.
func (f *analyzeFlags) options() (analyze.Options, analyze.SortKey, error) {
	opts := analyze.Options{PIDs: f.pids, TIDs: f.tids, Flows: f.flows, From: f.from, To: f.to, Min: f.min, By: f.by, Raw: f.raw}
	key, err := analyze.ParseSortKey(f.sort)
	switch {
	case err != nil:
	case f.slowest > maxSlowest:
		err = fmt.Errorf("--slowest %d: want at most %d", f.slowest, maxSlowest)
	case f.toSet && f.to <= f.from:
		err = fmt.Errorf("--from %v --to %v: nothing is in between: the end must be later than the beginning", f.from, f.to)
	case f.heatmapSVG != "" && f.heatmap == "":
		err = errors.New("--heatmap-svg: of which functions? Add --heatmap FUNC")
	case f.function != "":
		opts.Function, err = analyze.ParsePattern(f.function)
	}
	if err == nil {
		if opts.Errors, err = analyze.ParseErrorRules(f.errors); err != nil {
			err = fmt.Errorf("--error: %s", errorText(err))
		}
	}
	if err != nil {
		return opts, key, usageError{err}
	}
	return opts, key, nil
}

// histArgument takes the function of "--hist FUNC" from the arguments: the one that is no file, beside others
// that are.
func (f *analyzeFlags) histArgument(args []string) []string {
	if f.hist != everyFunction {
		return args
	}
	function := -1
	for i, arg := range args {
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
			if function >= 0 {
				return args
			}
			function = i
		}
	}
	if function < 0 || len(args) == 1 {
		return args
	}
	f.hist = args[function]
	return slices.Delete(slices.Clone(args), function, function+1)
}

// runAnalyze writes the views that were asked for, and then all warnings.
func runAnalyze(out, errOut io.Writer, paths []string, f *analyzeFlags) error {
	opts, key, err := f.options()
	if err != nil {
		return err
	}
	if err := oneOfEach(paths); err != nil {
		return err
	}
	heatmap, err := analyze.ParsePattern(f.heatmap)
	if err != nil {
		return usageError{fmt.Errorf("--heatmap: %w", err)}
	}
	views := f.views(paths, opts, newResults(paths, opts, key, heatmap))
	if err := checkFiles(paths, views); err != nil {
		return err
	}
	var warnings []analyze.Warning
	defer func() { printWarnings(errOut, warnings) }()
	for i := range views {
		w, err := views[i].show(out)
		warnings = append(warnings, w...)
		if err != nil {
			return err
		}
	}
	return nil
}

// checkFiles refuses to write over a trace, and two views to one file.
func checkFiles(paths []string, views []view) error {
	files := map[string]string{}
	tables := 0
	for _, v := range views {
		if v.shown && (v.flag == "json" || v.flag == "csv") {
			if tables++; tables > 1 {
				return usageError{errors.New("--json and --csv: both to standard output")}
			}
		}
		if v.file == "" {
			continue
		}
		name := filepath.Clean(v.file)
		if other := files[name]; other != "" {
			return usageError{fmt.Errorf("--%s and --%s: both to %s", other, v.flag, v.file)}
		}
		files[name] = v.flag
		for _, path := range paths {
			if sameFile(path, v.file) {
				return usageError{fmt.Errorf("--%s %s: that is the trace itself", v.flag, v.file)}
			}
		}
	}
	return nil
}

// oneOfEach refuses a trace that is given twice: its calls would count twice. What cannot be read is left to the reader.
func oneOfEach(paths []string) error {
	var before []os.FileInfo
	var names []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		for i, other := range before {
			if os.SameFile(info, other) {
				return usageError{fmt.Errorf("%s and %s are the same file: its calls would count twice", names[i], path)}
			}
		}
		before, names = append(before, info), append(names, path)
	}
	return nil
}

func sameFile(a, b string) bool {
	ai, aerr := os.Stat(a)
	bi, berr := os.Stat(b)
	return aerr == nil && berr == nil && os.SameFile(ai, bi)
}
