//go:build linux

package main

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"utrace/analyze"
	"utrace/record"
)

// printSummary says what was recorded, at what cost, and what is missing.
func printSummary(w io.Writer, cfg record.Config, s *record.Summary) {
	if s.Flight != nil {
		printFlight(w, cfg, s)
	} else {
		printVolume(w, cfg, s)
	}
	printLoss(w, s)
	if s.Dropped > 0 {
		calls := english.PluralWord(int(s.Dropped), "further call did not meet its condition", "further calls did not meet their condition")
		has := "the trace has only their number and times"
		if s.Flight != nil {
			has = "the traces have nothing of them"
		}
		fmt.Fprintf(w, "utrace: %s %s: %s\n", comma(s.Dropped), calls, has)
	}
	if cfg.Sched {
		fmt.Fprintf(w, "utrace: %s switches and wakeups of threads, %s lost\n", comma(s.Sched), comma(s.LostSched))
	}
	printSurvey(w, s.Survey)
	if n := len(s.LeftOut); n > 0 {
		l := s.LeftOut[0]
		were := english.PluralWord(n, "function was", "functions were")
		fmt.Fprintf(w, "utrace: %d %s left out, such as %s: %s (utrace plan lists them)\n", n, were, analyze.Printable(l.Name), analyze.Printable(l.Reason))
	}
	for _, text := range s.Warnings {
		fmt.Fprintf(w, "utrace: warning: %s\n", analyze.Printable(text))
	}
	if s.Events == 0 {
		printNothing(w, cfg, s)
	}
}

// printVolume says how much was recorded, and how long the probes took.
func printVolume(w io.Writer, cfg record.Config, s *record.Summary) {
	seconds := s.Duration.Seconds()
	fmt.Fprintf(w, "utrace: recorded %s (%s) of %s in %.1f s: %s\n", english.Plural(int(s.Events), "event", ""),
		english.Plural(int(s.Calls), "call", ""), english.Plural(s.Funcs, "function", ""), seconds, s.Reason)

	perEvent := ""
	if s.Events > 0 {
		perEvent = fmt.Sprintf(", %.2f bytes/event", float64(s.Bytes)/float64(s.Events))
	}
	rate := uint64(float64(s.Events) / max(seconds, 1e-9))
	file := "no trace was written"
	if s.Path != "" {
		file = fmt.Sprintf("%s%s in %s", humanize.IBytes(uint64(s.Bytes)), perEvent, analyze.Printable(s.Path))
	}
	fmt.Fprintf(w, "utrace: %s events/s, %s lost, %s\n", comma(rate), comma(s.LostEntries+s.LostReturns), file)

	printOverhead(w, cfg, s)
}

// printFlight says how often a flight recorder has written a trace.
func printFlight(w io.Writer, cfg record.Config, s *record.Summary) {
	f := s.Flight
	fmt.Fprintf(w, "utrace: saw %s (%s) of %s in %.1f s: %s\n", english.Plural(int(s.Events), "event", ""),
		english.Plural(int(s.Calls), "call", ""), english.Plural(s.Funcs, "function", ""), s.Duration.Seconds(), s.Reason)
	fmt.Fprintf(w, "utrace: a condition of --until was met %s; %s, %s\n", english.Plural(int(f.Moments), "time", ""),
		english.Plural(len(f.Traces), "trace was written", "traces were written"), humanize.IBytes(uint64(s.Bytes)))
	fmt.Fprintf(w, "utrace: %s of memory had the last %s, %s events lost\n", humanize.IBytes(uint64(f.Bytes)), f.Kept.Round(100*time.Millisecond), comma(s.LostEntries+s.LostReturns))
	printOverhead(w, cfg, s)
}

func printOverhead(w io.Writer, cfg record.Config, s *record.Summary) {
	if s.Overhead > 0 {
		fmt.Fprintf(w, "utrace: the probes took %s\n", probeTime(cfg, s, runtime.NumCPU()))
	}
}

// probeTime says how long the probes took, as a share of one processor. The cost of a hit is an
// estimate: the sum may exceed what the traced threads can have used of this number of processors.
func probeTime(cfg record.Config, s *record.Summary, processors int) string {
	if s.Dropped == 0 && !cfg.Conditional() { // otherwise probes have also cost threads without events
		processors = min(processors, max(1, s.Threads))
	}
	if s.Overhead >= s.Duration*time.Duration(processors) {
		return "nearly all the time of " + english.Plural(processors, "processor", "")
	}
	return fmt.Sprintf("about %s of processor time, %.1f%% of one processor", analyze.FormatDuration(s.Overhead), 100*s.Overhead.Seconds()/s.Duration.Seconds())
}

func printLoss(w io.Writer, s *record.Summary) {
	if s.LostEntries+s.LostReturns > 0 {
		fmt.Fprintf(w, "utrace: warning: %s entries and %s returns were lost because the ring buffers were full; the trace says where. Probe less, or use a larger --ring-size\n",
			comma(s.LostEntries), comma(s.LostReturns))
	}
}

// printSurvey says how the recording kept to the overhead limit.
func printSurvey(w io.Writer, s *record.SurveyFigures) {
	if s == nil || s.Windows+s.Skipped == 0 {
		return
	}
	limit := fmt.Sprintf("limit %.4g%%", 100*s.Limit)
	if s.Used > 1.2*s.Limit {
		limit += ", or 0.5% of a processor for a process that uses little"
	}
	fmt.Fprintf(w, "utrace: survey: %s probed all the time, %s at times, %s never; the probes used %.1f%% of the processor time (%s)\n",
		english.Plural(s.Always, "function", ""), comma(uint64(s.Windows)), comma(uint64(s.Skipped)), 100*s.Used, limit)
	fmt.Fprintln(w, "utrace: a larger --max-overhead covers more; --max-overhead none records every call at any cost")
}

// printNothing says why a trace may be empty.
func printNothing(w io.Writer, cfg record.Config, s *record.Summary) {
	switch {
	case s.Funcs == 0: // the error of the recording says what was not found
	case s.Dropped > 0:
		fmt.Fprintf(w, "utrace: none of the %s met its condition (utrace analyze shows their number and times)\n", english.Plural(int(s.Dropped), "call", ""))
	case cfg.Conditional():
		fmt.Fprintln(w, "utrace: no call met its condition: does the process run these functions, and are the conditions right? (utrace plan shows what was probed)")
	default:
		fmt.Fprintln(w, "utrace: no call was seen: did the process do anything, and does it run these functions? (utrace plan shows what was probed)")
	}
}

// comma writes a number with commas: 1,234.
func comma(n uint64) string { return humanize.Comma(int64(n)) }
