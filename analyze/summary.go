package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/format"
)

// maxWarned is how many functions a warning names.
const maxWarned = 5

// summary gathers the facts and warnings about the traces as a whole.
type summary struct {
	trace    Trace
	stop     time.Time
	pids     map[int]bool
	warnings []Warning
	several  bool // there are several traces
	offer    offer
}

func newSummary(paths []string) *summary {
	return &summary{pids: map[int]bool{}, several: len(paths) > 1, offer: offer{called: map[string]bool{}}}
}

// add adds a trace that was read to its end. sum holds the counts of that run.
func (s *summary) add(path string, src *source, sum tally, opts *Options) {
	s.addOrigin(path, src)
	s.addTimes(src, sum.lastNs)
	s.addProcesses(src)
	if damage := src.damage(); damage != "" {
		s.warn(path, "trace is not complete: %s", damage)
	}

	if end := src.tables.End; end != nil {
		for _, text := range end.Missing {
			s.warn(path, "%s", text)
		}
	}
	s.addGaps(path, src)
	s.addProbeCost(path, src, &sum, opts)
	s.addLoss(path, &src.tables)
	s.trace.Touched = append(s.trace.Touched, sum.touched...)
	s.addSched(path, src)
	s.trace.UnmatchedReturns += sum.orphans
	if sum.skipped > 0 {
		s.warn(path, "%s nested too deeply to be paired: counted as incomplete", Plural(sum.skipped, "call was", "calls were"))
	}
	s.addRecording(path, src)
	s.offer.add(src, &sum, opts)
}

// addOrigin adds where a trace is from, and what it contains.
func (s *summary) addOrigin(path string, src *source) {
	tr, meta := &s.trace, &src.meta
	tr.Files = append(tr.Files, FileName(path))
	tr.Hosts = appendNew(tr.Hosts, meta.Host)
	tr.Kernels = appendNew(tr.Kernels, meta.Kernel)
	tr.Commands = appendNew(tr.Commands, strings.Join(meta.Command, " "))
	tr.Events += src.events
	tr.Switches += src.switches
	tr.Samples += src.samples
	tr.SampleHz = max(tr.SampleHz, meta.SampleHz)
	tr.Sched = tr.Sched || meta.Sched
	tr.LeftOut += len(src.tables.LeftOut)
	tr.Threads += src.threads
	tr.addKept(meta)
}

// addTimes adds when a trace begins and ends. A trace that is cut off ends with its last row.
func (s *summary) addTimes(src *source, lastNs int64) {
	tr, meta := &s.trace, &src.meta
	start := time.Unix(0, meta.Start.WallNs).UTC()
	stop := start.Add(time.Duration(lastNs))
	if end := src.tables.End; end != nil {
		stop = start.Add(time.Duration(end.Stop.MonoNs - meta.Start.MonoNs))
	}
	tr.Durations = append(tr.Durations, max(0, stop.Sub(start)))
	if len(tr.Files) == 1 || start.Before(tr.Start) {
		tr.Start = start
	}
	if len(tr.Files) == 1 || stop.After(s.stop) {
		s.stop = stop
	}
}

// addProcesses adds the processes of a trace, and the processes that were to be recorded.
func (s *summary) addProcesses(src *source) {
	for _, pid := range src.meta.PIDs {
		s.pids[pid] = true
	}
	for _, th := range src.tables.Threads {
		s.pids[th.PID] = true
	}
	s.trace.Processes = append(s.trace.Processes, src.listProcesses()...)
}

// addProbeCost adds the cost of probes, and warns if it is unknown or has changed.
func (s *summary) addProbeCost(path string, src *source, sum *tally, opts *Options) {
	if s.trace.Probes.add(src, sum, opts.Raw) {
		s.trace.Unmeasured = append(s.trace.Unmeasured, FileName(path))
	}
	if !opts.Raw {
		s.warnUnmeasured()
		s.addMoved(path, src.tables.Calibrations)
	}
}

// addLoss warns of lost events. It says how many, when, and which functions lost them.
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
	lost := lostEvents(t)
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
	if s.trace.Probes.Measured && !s.trace.Probes.Raw {
		s.warn(path, "the cost of the probes of lost events is not subtracted: calls around them are shown too long")
	}
	s.warnLostEntries(path, t)
}

// lostEvents counts the events that were lost.
func lostEvents(t *format.Tables) (lost uint64) {
	if t.End != nil {
		return t.End.Lost
	}
	for _, l := range t.Losses {
		lost += l.Entries + l.Returns
	}
	return lost
}

// warnLostEntries warns of the functions with the most lost entries. The trace must have an end.
func (s *summary) warnLostEntries(path string, t *format.Tables) {
	worst := slices.Clone(t.End.FuncLost)
	slices.SortStableFunc(worst, func(a, b format.FuncLoss) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), cmp.Compare(a.Func, b.Func))
	})
	for i, l := range worst {
		if l.Entries == 0 || int(l.Func) >= len(t.Funcs) {
			continue
		}
		if i >= maxWarned {
			s.warn(path, "entries of other functions were also lost")
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
