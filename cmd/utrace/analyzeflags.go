package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/format/packed"
)

// analyzeFlags are the flags of analyze as they are on the command line.
type analyzeFlags struct {
	flow                   flowLayout
	fields                 flowFields
	hist, heatmap          string
	why, than              string
	thanSet, fieldsSet     bool
	pprof, folded, flame   string
	html                   string
	heatmapSVG, traceEvent string
	tree, json, csv, info  bool
	spark, sparkSet, raw   bool
	toSet                  bool
	sort, function, by     string
	errors                 []string
	top, slowest           int
	pids, tids             []int
	flows                  []string
	from, to, min          time.Duration
	symbols                symbolFiles
	screen                 screenFlags
}

// maxSlowest limits how many slow calls are kept, and so how many enclosing slow calls each call is
// checked against.
const maxSlowest = 10_000

func (f *analyzeFlags) add(flags *pflag.FlagSet) {
	f.addViews(flags)
	f.addFiles(flags)
	f.addSelection(flags)
	flags.Var((*count)(&f.top), "top", "only the first `N` functions of the report")
	endGroup(flags, "Select calls")
	f.addFigures(flags)
	endGroup(flags, "Sort, group and count")
	f.symbols.add(flags)
	endGroup(flags, "Names")
	f.screen.add(flags)
	endGroup(flags, "Terminal")
}

func (f *analyzeFlags) addViews(flags *pflag.FlagSet) {
	flags.Var(&f.flow, "flow", "print the calls in the order of time, in uftrace's layout; --flow=arrows: in uflow's")
	flags.Lookup("flow").NoOptDefVal = "true"
	f.addFields(flags, "with --flow, ")
	flags.BoolVar(&f.tree, "tree", false, "print the calls summed by call path")
	flags.Var((*count)(&f.slowest), "slowest", "print the `N` slowest calls (of the functions that --function names), each with its callees")
	flags.Var((*histFunction)(&f.hist), "hist", "print latency distributions in bcc's layout; --hist FUNC: of matching functions")
	flags.Lookup("hist").NoOptDefVal = "true"
	flags.StringVar(&f.heatmap, "heatmap", "", "print how the latency of functions that match `FUNC` changes over time")
	flags.StringVar(&f.why, "why", "", "print why the slow calls of `FUNC` take longer than its typical ones")
	flags.StringVar(&f.than, "than", "P99", "with --why, calls are slow that take longer than `LIMIT`: a percentile, or a duration such as 1ms")
	flags.BoolVar(&f.json, "json", false, "print the report, or the result of --why, as JSON")
	flags.BoolVar(&f.csv, "csv", false, "print the functions of the report as CSV, with the keys of JSON")
	flags.BoolVar(&f.info, "info", false, "print how each trace was recorded: command, processes, probes, limits, versions, functions left out")
	flags.BoolVar(&f.spark, "spark", false, "draw each distribution in a column of the report (default on a terminal)")
	endGroup(flags, "Views (default: the report)")
}

// addFields adds the flag for the columns of the flow. when says when it applies.
func (f *analyzeFlags) addFields(flags *pflag.FlagSet, when string) {
	f.fields = flowFields{fields: render.DefaultFields(), text: "duration,tid"}
	flags.VarP(&f.fields, "fields", "f", when+"print these `FIELDS` ahead of the functions: duration, tid, time, delta, elapsed, addr, task, module; +FIELDS adds to the default; or none")
}

func (f *analyzeFlags) addFiles(flags *pflag.FlagSet) {
	flags.StringVar(&f.html, "html", "", "write one page for a browser to `FILE`: report, distributions, flame graph, slowest calls; with --why its result")
	flags.StringVar(&f.pprof, "pprof", "", "write a profile for pprof to `FILE`")
	flags.StringVar(&f.flame, "flame", "", "write a flame graph to `FILE`, as SVG")
	flags.StringVar(&f.folded, "folded", "", "write folded stacks with self times in ns to `FILE`, for flamegraph.pl and speedscope")
	flags.StringVar(&f.traceEvent, "trace-event", "", "write trace events to `FILE`, for Perfetto; with --top only calls of these functions")
	flags.StringVar(&f.heatmapSVG, "heatmap-svg", "", "write the result of --heatmap to `FILE`, as SVG")
	endGroup(flags, "Files (- is standard output, without the report)")
}

func (f *analyzeFlags) addSelection(flags *pflag.FlagSet) {
	flags.StringVar(&f.function, "function", "",
		"only functions that match `PATTERN`, a glob or /regular expression/; --flow, --tree and files include their callees")
	flags.Var(&idList{&f.pids, "process"}, "pid", "only the process `PID`; repeatable")
	flags.Var(&threadList{idList{&f.tids, "thread"}, &f.flows}, "tid",
		"only the thread `TID`, with the goroutines and tracks first seen on it; or a goroutine or track as --flow names it: g18, s1; repeatable")
	flags.Var((*duration)(&f.from), "from", "only calls that begin at `TIME` after the start, such as 1.5s, or later")
	flags.Var((*duration)(&f.to), "to", "only calls that begin before `TIME` after the start")
	flags.Var((*duration)(&f.min), "min", "only complete calls that took at least `DURATION`, such as 1ms")
}

func (f *analyzeFlags) addFigures(flags *pflag.FlagSet) {
	flags.StringVar(&f.sort, "sort", "total",
		"sort the report by `KEY`: total, self, calls, avg, p50, p90, p99, max, errors, cpu, runnable, blocked or name")
	flags.StringVar(&f.by, "by", "",
		"group the report, --tree, --flame and --pprof by `KEY`: pid, tid, comm, unit, container, pod, cgroup, or the name of a recorded argument or result (ret)")
	flags.StringArrayVar(&f.errors, "error", nil,
		"count calls as errors by `RULE`, a condition such as 'ret < 0' or 'malloc: ret == 0'; repeatable")
	flags.BoolVar(&f.raw, "raw", false, "show times as measured, without subtracting the cost of the probes")
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
		err = fmt.Errorf("--from %v --to %v: nothing is in between: --to must be later than --from", f.from, f.to)
	case f.heatmapSVG != "" && f.heatmap == "":
		err = errors.New("--heatmap-svg needs --heatmap FUNC, which names the functions")
	case f.fieldsSet && f.flow != "braces":
		err = errors.New("--fields needs --flow, and is not for --flow=arrows")
	case f.thanSet && f.why == "":
		err = errors.New("--than needs --why FUNC, which names the function")
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

// everyFunction is the value of --hist without a function, and matches every one.
const everyFunction = "*"

// histFunction is the flag --hist, which needs no value.
type histFunction string

func (h *histFunction) String() string { return string(*h) }

// Type makes the help show the flag without a value.
func (h *histFunction) Type() string { return "bool" }

func (h *histFunction) Set(text string) error {
	if *h = histFunction(text); text == "true" {
		*h = everyFunction
	}
	return nil
}

// histArgument takes the function of "--hist FUNC" out of the arguments: the only one that is no
// file, if others are files.
func (f *analyzeFlags) histArgument(args []string) []string {
	if f.hist != everyFunction {
		return args
	}
	function := -1
	for i, arg := range args {
		if _, err := os.Stat(arg); arg != packed.Stdin && errors.Is(err, fs.ErrNotExist) {
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

// flowLayout is the flag --flow, which needs no value.
type flowLayout string

func (l *flowLayout) String() string { return string(*l) }

// Type makes the help show the flag without a value.
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

// flowFields is the flag --fields.
type flowFields struct {
	fields render.Fields
	text   string
}

func (f *flowFields) String() string { return f.text }
func (f *flowFields) Type() string   { return "FIELDS" }
func (f *flowFields) Set(text string) (err error) {
	f.text = text
	f.fields, err = render.ParseFields(text)
	return err
}
