package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// mostWarned is how many functions a warning names.
const mostWarned = 5

// summary gathers what is to be said of the traces as a whole.
type summary struct {
	trace    Trace
	stop     time.Time
	pids     map[int]bool
	warnings []Warning
	several  bool // traces
}

func newSummary(paths []string) *summary {
	return &summary{pids: map[int]bool{}, several: len(paths) > 1}
}

// add takes in a trace that was read to its end.
func (s *summary) add(path string, src *source, sum tally, opts *Options) {
	tr, t, meta := &s.trace, &src.tables, &src.meta
	tr.Files = append(tr.Files, FileName(path))
	tr.Hosts = appendNew(tr.Hosts, meta.Host)
	tr.Kernels = appendNew(tr.Kernels, meta.Kernel)
	tr.Commands = appendNew(tr.Commands, strings.Join(meta.Command, " "))
	tr.Events += src.events
	tr.Switches += src.switches
	tr.Sched = tr.Sched || meta.Sched
	tr.LeftOut += len(t.LeftOut)
	tr.Threads += len(t.Threads)
	tr.addKept(meta)
	start := time.Unix(0, meta.Start.WallNs).UTC()
	stop := start.Add(time.Duration(sum.lastNs))
	if t.End != nil {
		stop = start.Add(time.Duration(t.End.Stop.MonoNs - meta.Start.MonoNs))
	}
	tr.Durations = append(tr.Durations, max(0, stop.Sub(start)))
	if len(tr.Files) == 1 || start.Before(tr.Start) {
		tr.Start = start
	}
	if len(tr.Files) == 1 || stop.After(s.stop) {
		s.stop = stop
	}
	for _, pid := range meta.PIDs {
		s.pids[pid] = true
	}
	for _, th := range t.Threads {
		s.pids[th.PID] = true
	}
	for _, p := range t.Processes {
		tr.Processes = append(tr.Processes, Process{p.PID, p.Comm, strings.Join(p.Args, " ")})
	}
	if damage := src.damage(); damage != "" {
		s.warn(path, "trace is not complete: %s", damage)
	}
	if tr.Probes.add(src, &sum, opts.Raw) {
		tr.Unmeasured = append(tr.Unmeasured, FileName(path))
	}
	if !opts.Raw {
		s.warnUnmeasured()
		s.addMoved(path, t.Calibrations)
	}
	s.addLoss(path, t)
	s.trace.Touched = append(s.trace.Touched, sum.touched...)
	s.addSched(path, src)
	s.addTakenOff(path, t)
	if sum.orphans > 0 {
		s.warn(path, "%s seen whose entry was not: calls that had begun before the recording or before a fork, or lost entries", Plural(sum.orphans, "return was", "returns were"))
	}
	if sum.skipped > 0 {
		s.warn(path, "%s nested too deeply to be followed: counted as incomplete", Plural(sum.skipped, "call was", "calls were"))
	}
}

// addLoss says how much was lost, when, and of what.
func (s *summary) addLoss(path string, t *format.Tables) {
	var entries, returns uint64
	first, last := uint64(0), uint64(0)
	for _, l := range t.Losses {
		if l.Entries+l.Returns == 0 {
			continue
		}
		if entries+returns == 0 || l.FirstNs < first {
			first = l.FirstNs
		}
		entries += l.Entries
		returns += l.Returns
		last = max(last, l.LastNs)
	}
	lost := entries + returns
	if t.End != nil {
		lost = t.End.Lost
	}
	s.trace.Lost += lost
	if lost == 0 {
		return
	}
	windows := lossWindows{of: ofEvents}
	windows.add(slices.SortedStableFunc(slices.Values(t.Losses), func(a, b format.Loss) int { return cmp.Compare(a.FirstNs, b.FirstNs) }))
	s.trace.Losses = append(s.trace.Losses, windows.list...)
	when := ""
	if entries+returns > 0 {
		when = fmt.Sprintf(" between %s and %s after the start, %s of them",
			FormatDuration(time.Duration(first)), FormatDuration(time.Duration(last)), Plural(entries, "entry", "entries"))
	}
	s.warn(path, "%s lost%s", Plural(lost, "event was", "events were"), when)
	if t.End == nil {
		return
	}
	if s.trace.Probes.Known && !s.trace.Probes.Raw {
		s.warn(path, "what the probes of lost events took is not subtracted: calls around them are shown too long")
	}
	worst := slices.Clone(t.End.FuncLost)
	slices.SortStableFunc(worst, func(a, b format.FuncLoss) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), cmp.Compare(a.Func, b.Func))
	})
	for i, l := range worst {
		if l.Entries == 0 || int(l.Func) >= len(t.Funcs) {
			continue
		}
		if i >= mostWarned {
			s.warn(path, "entries of other functions were lost, too")
			break
		}
		verb := "were"
		if l.Entries == 1 {
			verb = "was"
		}
		s.warn(path, "%s of %s %s lost", Plural(l.Entries, "entry", "entries"), t.Funcs[l.Func].Name, verb)
	}
}

// result returns the description of all traces.
func (s *summary) result() Trace {
	tr := s.trace
	tr.Duration = max(0, s.stop.Sub(tr.Start))
	for pid := range s.pids {
		tr.PIDs = append(tr.PIDs, pid)
	}
	slices.Sort(tr.PIDs)
	slices.SortStableFunc(tr.Processes, func(a, b Process) int { return cmp.Compare(a.PID, b.PID) })
	tr.Processes = slices.Compact(tr.Processes)
	slices.SortFunc(tr.Touched, func(a, b TouchedThread) int {
		return cmp.Or(cmp.Compare(b.Uncertain, a.Uncertain), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID), cmp.Compare(a.Name, b.Name))
	})
	return tr
}

func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// Plural writes a number and what it counts.
func Plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// FormatDuration writes a duration in us, ms or s with three decimals.
func FormatDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d.%03d us", d/1e3, d%1e3)
	case d < time.Second:
		return fmt.Sprintf("%d.%03d ms", d/1e6, d/1e3%1e3)
	default:
		return fmt.Sprintf("%d.%03d s", d/1e9, d/1e6%1e3)
	}
}
