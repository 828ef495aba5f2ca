package render

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// maxTraceEvents is how many calls a file of trace events holds: viewers read the whole file.
const maxTraceEvents = 1_000_000

// firstOwnTID is the lowest thread number that Linux never uses (PID_MAX_LIMIT in
// include/linux/threads.h is 2^22). Goroutines, and spans that may overlap, get numbers from here
// on.
const firstOwnTID = 1 << 22

// TraceEvent writes calls as trace events for Perfetto and chrome://tracing (the JSON Object Format
// of the Trace Event Format). A call is a complete event (X), a hit or an exec an instant event
// (i). Threads and processes have metadata with their names, and processes their command line. Flow
// events (s, f) lead from threads to those that they wake. Each of several traces starts at 0.
// about describes the traces.
//
// If only is not nil, it writes the functions of these rows only. Of more than a million calls, it
// writes the longest. It returns the warnings. One says which calls it has written.
func TraceEvent(w io.Writer, paths []string, opts analyze.Options, only []analyze.Row, about *analyze.Trace) (warnings []analyze.Warning, err error) {
	return traceEvents(w, paths, opts, only, about, maxTraceEvents)
}

func traceEvents(w io.Writer, paths []string, opts analyze.Options, only []analyze.Row, about *analyze.Trace, limit uint64) (warnings []analyze.Warning, err error) {
	keep := keepRows(only)
	durations, others, err := analyze.Durations(paths, opts, keep)
	if err != nil {
		return nil, err
	}
	e := &eventWriter{out: bufio.NewWriterSize(w, 1<<16), keep: keep, limit: limit, sure: math.MaxInt64, room: limit,
		processes: map[int]string{}, commands: map[int]string{}}
	if all := durations.Count() + others; all > limit {
		var some time.Duration
		e.rest = min(others, limit/10) // these include the calls around all others
		e.cut = true
		e.sure, some, e.room = durations.Longest(limit - e.rest)
		opts.Min = max(opts.Min, some)
		kept := "complete ones, and the first %d of the others"
		if e.sure > 0 {
			kept = fmt.Sprintf("those of at least %s, and the first %%d of at least %s", analyze.FormatDuration(e.sure), analyze.FormatDuration(some))
		}
		text := fmt.Sprintf("trace events: of %d calls only "+kept+" are written: viewers open no more than %d", all, e.room, limit)
		warnings = append(warnings, analyze.Warning{Text: text, Hint: analyze.SelectFewerCalls})
	}
	for _, p := range about.Processes {
		e.commands[p.PID] = cut(p.Command, maxCommand)
		if before := e.processes[p.PID]; before != "" && before != p.Name && len(before) < maxCommand {
			p.Name = before + ", " + p.Name
		}
		e.processes[p.PID] = p.Name
	}
	e.out.WriteString(`{"displayTimeUnit": "ns", "traceEvents": [`)
	for i, path := range paths {
		e.file = i
		e.open, e.held, e.threads = map[format.ThreadID][]openCall{}, 0, map[format.ThreadID]bool{}
		e.named, e.arrows.outer = map[int]bool{}, map[int]*outerCall{}
		w, err := analyze.Flow(path, opts, false, e.step)
		for _, warning := range w {
			if len(paths) > 1 {
				warning.Source = analyze.FileName(path)
			}
			warnings = append(warnings, warning)
		}
		if err != nil {
			return warnings, err
		}
	}
	if e.unended > 0 {
		text := analyze.Plural(e.unended, "more call without a return, or dropped, was", "more calls without a return, or dropped, were")
		warnings = append(warnings, analyze.Warning{Text: fmt.Sprintf("trace events: %s left out", text)})
	}
	if e.dropped > 0 {
		text := fmt.Sprintf("trace events: %s left out after the first %d", analyze.Plural(e.dropped, "wait was", "waits were"), limit)
		warnings = append(warnings, analyze.Warning{Text: text})
	}
	other, err := json.Marshal(map[string]string{
		"files": strings.Join(about.Files, ", "), "host": strings.Join(about.Hosts, ", "), "kernel": strings.Join(about.Kernels, ", "),
		"command": strings.Join(recordedCommands(about), "; "), "started": about.Start.Format(time.RFC3339Nano),
	})
	if err != nil {
		return warnings, err
	}
	fmt.Fprintf(e.out, "\n], \"otherData\": %s}\n", other)
	return warnings, e.out.Flush()
}

// keepRows returns whether a function is in the rows; nil if rows is nil, for all functions.
func keepRows(rows []analyze.Row) func(*format.Func) bool {
	if rows == nil {
		return nil
	}
	type key struct {
		name, file string
		addr       uint64
	}
	have := map[key]bool{}
	for i := range rows {
		have[key{rows[i].Name, rows[i].File, rows[i].Addr}] = true
	}
	return func(f *format.Func) bool { return have[key{f.Name, f.File, f.Addr}] }
}

// maxHeldArgs limits the bytes of arguments of open calls that are kept; further ones are left out.
const maxHeldArgs = 256 << 20

// openCall is the part of a call that is needed at its end.
type openCall struct {
	at   time.Duration
	args string
}

type eventWriter struct {
	out       *bufio.Writer
	keep      func(*format.Func) bool
	processes map[int]string // their names
	commands  map[int]string // by process: its last command line
	arrows    wakeArrows
	file      int                            // number of the trace
	open      map[format.ThreadID][]openCall // outermost first
	held      int                            // bytes of their arguments
	threads   map[format.ThreadID]bool       // that have their metadata
	named     map[int]bool                   // processes that have their metadata
	sure      time.Duration                  // all complete calls of at least this are written
	room      uint64                         // for other calls and hits
	cut       bool                           // there is not enough room for all
	rest      uint64                         // if cut: room for calls that are not complete
	unended   uint64                         // calls that found no room in rest
	waits     uint64
	limit     uint64 // of calls, and of waits
	dropped   uint64 // waits
	begun     bool
}

// traceEvent is an event of the format.
type traceEvent struct {
	Name     string          `json:"name"`
	Category string          `json:"cat,omitempty"`
	Phase    string          `json:"ph"`
	ID       uint64          `json:"id,omitempty"` // both ends of an arrow have the same
	TsUs     json.RawMessage `json:"ts,omitempty"`
	DurUs    json.RawMessage `json:"dur,omitempty"`
	PID      int             `json:"pid"`
	TID      int             `json:"tid"`
	Scope    string          `json:"s,omitempty"`
	Binding  string          `json:"bp,omitempty"` // e: the arrow ends at the call around it
	Args     map[string]any  `json:"args,omitempty"`
}

func (e *eventWriter) step(s *analyze.Step) error {
	from := openCall{s.At, s.Args}
	switch s.Kind {
	case analyze.Enter:
		if e.held += len(from.args); e.held > maxHeldArgs {
			e.held -= len(from.args)
			from.args = ""
		}
		if len(e.open[s.ThreadID]) == 0 {
			e.arrows.enter(s, e.pid(s.Thread))
		}
		e.open[s.ThreadID] = append(e.open[s.ThreadID], from)
		return nil
	case analyze.Waited:
		return e.waited(s)
	case analyze.Exec:
		return e.exec(s)
	case analyze.Leave:
		open := e.open[s.ThreadID]
		from = open[len(open)-1]
		open[len(open)-1] = openCall{}
		e.open[s.ThreadID] = open[:len(open)-1]
		if len(open) == 1 {
			e.arrows.leave(s)
		}
		e.held -= len(from.args)
	}
	if e.keep != nil && !e.keep(s.Func) {
		return nil
	}
	switch incomplete := s.Kind == analyze.Leave && s.State != analyze.Complete; {
	case incomplete && e.cut:
		if e.rest == 0 {
			e.unended++
			return nil
		}
		e.rest--
	case s.Kind != analyze.Leave || incomplete || s.Duration < e.sure:
		if e.room == 0 {
			return nil
		}
		e.room--
	}
	if err := e.metadata(s); err != nil {
		return err
	}
	event := traceEvent{Name: s.Func.Name, PID: e.pid(s.Thread), TID: tid(s), Args: map[string]any{}}
	if s.Kind == analyze.Leave {
		event.Phase, event.TsUs, event.DurUs = "X", microseconds(from.at), microseconds(s.At-from.at)
	} else {
		event.Phase, event.Scope, event.TsUs = "i", "t", microseconds(s.At)
	}
	if s.Kind == analyze.Leave && s.State == analyze.Complete && s.Duration != s.At-from.at {
		event.Args["duration_ns"] = int64(s.Duration) // less the cost of probes: times like that would not nest
	}
	if s.Func.File != "" {
		event.Args["file"] = s.Func.File
		if s.Func.Line > 0 {
			event.Args["line"] = s.Func.Line
		}
	}
	if from.args != "" {
		event.Args["arguments"] = from.args
	}
	if s.Results != "" {
		event.Args["result"] = s.Results
	}
	if s.Kind == analyze.Leave && s.State != analyze.Complete {
		event.Args["end"] = endingNames()[s.State]
	}
	if s.Uncertain {
		event.Args["uncertain"] = true // events were lost meanwhile
	}
	return e.write(&event)
}

// waited writes a wait inside its call.
func (e *eventWriter) waited(s *analyze.Step) error {
	if e.keep != nil { // waits are not of single functions
		return nil
	}
	if e.waits++; e.waits > e.limit {
		e.dropped++
		return nil
	}
	if err := e.metadata(s); err != nil {
		return err
	}
	err := e.write(&traceEvent{
		Name: "linux:schedule", Phase: "X", TsUs: microseconds(s.At - s.Duration), DurUs: microseconds(s.Duration), PID: e.pid(s.Thread), TID: tid(s),
		Args: map[string]any{"blocked_ns": int64(s.Wait.Blocked), "runnable_ns": int64(s.Wait.Runnable), "unknown_ns": int64(s.Wait.Unknown), "waker": s.Wait.Waker.String()},
	})
	for _, end := range e.arrows.events(s, e.pid(s.Thread)) {
		err = errors.Join(err, e.write(&end))
	}
	return err
}

// exec writes a mark for its process.
func (e *eventWriter) exec(s *analyze.Step) error {
	if err := e.metadata(s); err != nil {
		return err
	}
	return e.write(&traceEvent{Name: execText(s), Phase: "i", Scope: "p", TsUs: microseconds(s.At), PID: e.pid(s.Thread), TID: tid(s)})
}

// endingNames say why the end of a call is not its return.
func endingNames() map[analyze.State]string {
	return map[analyze.State]string{
		analyze.Unwound:  "unwound: its return was not seen; it ended at this time or before",
		analyze.Open:     "open at the end of its thread's events",
		analyze.NoReturn: "return not probed; it ended at this time or before",
		analyze.Replaced: "replaced: its process executed another program",
		analyze.Cut:      "the window of its function ended before its return",
		analyze.Dropped:  "dropped: it did not meet its condition, and is here for the calls inside it",
	}
}

// metadata names a thread, and its process, before its first event.
func (e *eventWriter) metadata(s *analyze.Step) error {
	pid := e.pid(s.Thread)
	if !e.named[pid] {
		e.named[pid] = true
		if err := e.write(&traceEvent{Name: "process_name", Phase: "M", PID: pid, TID: tid(s), Args: map[string]any{"name": e.processes[s.Thread.PID]}}); err != nil {
			return err
		}
		if command := e.commands[s.Thread.PID]; command != "" {
			if err := e.write(&traceEvent{Name: "process_labels", Phase: "M", PID: pid, TID: tid(s), Args: map[string]any{"labels": command}}); err != nil {
				return err
			}
		}
	}
	if e.threads[s.ThreadID] {
		return nil
	}
	e.threads[s.ThreadID] = true
	name := s.Thread.Comm
	switch {
	case s.Thread.Goroutine != 0:
		name = fmt.Sprintf("goroutine %d", s.Thread.Goroutine)
	case s.Thread.Track != 0:
		name = fmt.Sprintf("spans %d", s.Thread.Track)
	}
	return e.write(&traceEvent{Name: "thread_name", Phase: "M", PID: pid, TID: tid(s), Args: map[string]any{"name": name}})
}

// pid gives each process of several traces its own number. Those of the first trace keep theirs.
func (e *eventWriter) pid(t *format.Thread) int { return t.PID + e.file*firstOwnTID }

func tid(s *analyze.Step) int {
	if s.Thread.Goroutine != 0 || s.Thread.Track != 0 {
		return firstOwnTID + int(s.ThreadID)
	}
	return s.Thread.TID
}

func (e *eventWriter) write(event *traceEvent) error {
	if e.begun {
		e.out.WriteByte(',')
	}
	e.begun = true
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	e.out.WriteByte('\n')
	_, err = e.out.Write(text)
	return err
}

// microseconds writes a time in us with the ns as a fraction.
func microseconds(d time.Duration) json.RawMessage {
	return json.RawMessage(fmt.Sprintf("%d.%03d", d/time.Microsecond, d%time.Microsecond))
}
