package render

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// Limits on the lines that wait until it is known whether a call has others inside. Beyond a limit,
// a call is shown as if it had.
const (
	maxHeld      = 64 << 10
	maxHeldBytes = 64 << 20 // of their text
)

// Flow writes the calls of traces in order of time, in the layout of uftrace replay. It returns the
// warnings about the traces.
func Flow(w io.Writer, paths []string, opts analyze.Options, fields Fields) (warnings []analyze.Warning, err error) {
	return flow(w, paths, opts, false, fields.titleLine(), func(out *bufio.Writer) (func(*analyze.Step) error, func() error) {
		f := newBraces(out, fields)
		return f.step, f.flush
	})
}

// FlowPart writes the lines from..to of the flow of a trace, counted from 0 and without the title.
// It returns how many lines there are up to to. It ends early, with its error, when ctx ends.
func FlowPart(ctx context.Context, w io.Writer, path string, opts analyze.Options, fields Fields, from, to int) (lines int, err error) {
	out := bufio.NewWriterSize(w, 1<<16)
	f := newBraces(out, fields)
	f.from, f.to = from, to
	_, err = analyze.Flow(path, opts, false, func(s *analyze.Step) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case f.first >= to:
			return errPartDone
		}
		return f.step(s)
	})
	if err == nil {
		err = f.flush()
	}
	if errors.Is(err, errPartDone) {
		err = nil
	}
	return min(f.first, to), errors.Join(err, out.Flush())
}

// errPartDone ends a pass whose further lines are not needed.
var errPartDone = errors.New("all lines of the part are written")

// FlowArrows writes the calls of traces in order of time, in the layout of uflow. It returns the
// warnings about the traces.
func FlowArrows(w io.Writer, paths []string, opts analyze.Options) (warnings []analyze.Warning, err error) {
	title := fmt.Sprintf("%-3s %-6s %-6s %-12s %s\n", "CPU", "PID", "TID", "TIME(us)", "METHOD")
	return flow(w, paths, opts, true, title, func(out *bufio.Writer) (func(*analyze.Step) error, func() error) {
		return func(s *analyze.Step) error { return writeArrow(out, s) }, func() error { return nil }
	})
}

// flow writes the steps of traces, below a title. layout returns what writes a step of a trace, and
// its end.
func flow(w io.Writer, paths []string, opts analyze.Options, cpu bool, title string,
	layout func(*bufio.Writer) (visit func(*analyze.Step) error, flush func() error)) (warnings []analyze.Warning, err error) {
	out := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprint(out, title)
	for _, path := range paths {
		if len(paths) > 1 {
			fmt.Fprintf(out, "# file %s\n", analyze.FileName(path))
		}
		visit, flush := layout(out)
		w, err := analyze.Flow(path, opts, cpu, visit)
		for _, warning := range w {
			if len(paths) > 1 {
				warning.Source = analyze.FileName(path)
			}
			warnings = append(warnings, warning)
		}
		if err == nil {
			err = flush()
		}
		if err != nil {
			out.Flush()
			return warnings, err
		}
	}
	return warnings, out.Flush()
}

// braces writes uftrace's layout. It holds back the line of a call until the thread's next step
// shows whether the call has others inside. Lines of other threads wait until it is written.
type braces struct {
	out     *bufio.Writer
	fields  Fields
	from    int // lines from..to are written
	to      int
	begun   bool
	begin   time.Duration                     // time of the first step
	last    map[format.ThreadID]time.Duration // time of the thread's last line
	held    []heldLine
	bytes   int                     // in held
	first   int                     // number of held[0], counted from the start
	waiting map[format.ThreadID]int // number of the line that waits for the thread's next step
	text    []byte                  // of a line, scratch
}

type heldLine struct {
	step    analyze.Step // for a waiting line
	text    string
	waiting bool
}

func newBraces(out *bufio.Writer, fields Fields) *braces {
	return &braces{out: out, fields: fields, to: math.MaxInt, last: map[format.ThreadID]time.Duration{}, waiting: map[format.ThreadID]int{}}
}

func (f *braces) step(s *analyze.Step) error {
	if !f.begun {
		f.begun, f.begin = true, s.At
	}
	entered, waits := f.waiting[s.ThreadID]
	if waits {
		delete(f.waiting, s.ThreadID)
		line := &f.held[entered-f.first]
		if s.Kind == analyze.Leave && (s.State == analyze.Complete || s.State == analyze.NoReturn) {
			return cmp.Or(f.decide(line, f.line(entered, line.step.At, s, &line.step)), f.release())
		}
		if err := cmp.Or(f.decide(line, f.line(entered, line.step.At, &line.step, nil)), f.release()); err != nil {
			return err
		}
	}
	n := f.first + len(f.held)
	switch {
	case s.Kind == analyze.Enter:
		f.waiting[s.ThreadID] = n
		f.hold(heldLine{step: *s, waiting: true})
	case len(f.held) == 0:
		f.first++
		_, err := f.out.Write(f.line(n, s.At, s, nil))
		return err
	default:
		f.hold(heldLine{text: string(f.line(n, s.At, s, nil))})
	}
	return f.release()
}

// appendContent appends what a line says of a step. entered is the beginning of a call that fits on
// one line.
func appendContent(b []byte, s, entered *analyze.Step) []byte {
	switch s.Kind {
	case analyze.Enter:
		return append(appendCall(b, s), " {"...)
	case analyze.Hit:
		return append(appendCall(b, s), ';')
	case analyze.Waited:
		return append(append(append(b, "/* linux:schedule"...), waited(s.Wait)...), " */"...)
	case analyze.Exec:
		return append(append(append(b, "/* "...), execText(s)...), " */"...)
	}
	if entered == nil {
		b = append(append(b, '}'), result(s)...)
		b = append(append(b, " /* "...), s.Func.Name...)
		return append(append(b, ending(s)...), " */"...)
	}
	b = append(append(appendCall(b, entered), result(s)...), ';')
	if s.Uncertain {
		b = append(b, " /* uncertain */"...)
	}
	return b
}

func (f *braces) hold(line heldLine) {
	f.held = append(f.held, line)
	f.bytes += line.bytes()
}

// decide ends the waiting of a line. The first one is written at once.
func (f *braces) decide(line *heldLine, text []byte) error {
	f.bytes -= line.bytes()
	if line == &f.held[0] {
		*line = heldLine{}
		_, err := f.out.Write(text)
		return err
	}
	*line = heldLine{text: string(text)}
	f.bytes += len(text)
	return nil
}

func (l *heldLine) bytes() int { return len(l.text) + len(l.step.Args) }

// waited says why a thread was off the processor. uftrace also says "(pre-empted)".
func waited(w *analyze.Wait) string {
	switch {
	case w.Unknown > 0:
		return ": switches were lost"
	case w.Blocked == 0 && !w.Waker.Known:
		return " (pre-empted)"
	}
	text := ": blocked " + analyze.FormatDuration(w.Blocked)
	if w.Waker.Known {
		text += ", " + w.Waker.String()
	}
	return text
}

// execText says that a process executes another program.
func execText(s *analyze.Step) string { return "linux:task-exec: " + s.Program }

// appendCall appends a call with its arguments.
func appendCall(b []byte, s *analyze.Step) []byte {
	b = append(append(b, s.Func.Name...), '(')
	return append(append(b, s.Args...), ')')
}

// result writes the results of a call, as uftrace does.
func result(s *analyze.Step) string {
	switch {
	case s.Results == "":
		return ""
	case len(s.Func.Results) > 1 && s.Func.Results[1].Type != "errno":
		return " = (" + s.Results + ")"
	}
	return " = " + s.Results
}

// ending says how a call ended if it is not complete, or not certain.
func ending(s *analyze.Step) string {
	switch s.State {
	case analyze.Unwound:
		return ": unwound"
	case analyze.Open:
		return ": open at the end"
	case analyze.NoReturn:
		return ": return not probed"
	case analyze.Replaced:
		return ": replaced by exec"
	case analyze.Dropped:
		return ": dropped"
	case analyze.Cut:
		return ": window ended"
	}
	if s.Uncertain {
		return ": uncertain"
	}
	return ""
}

// release writes the lines up to the first that waits.
func (f *braces) release() error {
	n := 0
	for ; n < len(f.held); n++ {
		line := &f.held[n]
		if line.waiting {
			if len(f.held)-n <= maxHeld && f.bytes <= maxHeldBytes {
				break
			}
			delete(f.waiting, line.step.ThreadID)
			if err := f.decide(line, f.line(f.first+n, line.step.At, &line.step, nil)); err != nil {
				return err
			}
		}
		f.bytes -= line.bytes()
		if _, err := f.out.WriteString(line.text); err != nil {
			return err
		}
	}
	f.first += n
	clear(f.held[:n]) // the array may stay for long
	f.held = f.held[n:]
	return nil
}

// flush writes what is left.
func (f *braces) flush() error {
	for i := range f.held {
		line := &f.held[i]
		if line.waiting {
			if err := f.decide(line, f.line(f.first+i, line.step.At, &line.step, nil)); err != nil {
				return err
			}
		}
	}
	return f.release()
}

// maxIndent keeps lines of deep recursions from growing without limit.
const maxIndent = 512

func indent(depth int) string { return strings.Repeat("  ", min(depth, maxIndent)) }

// line is the line with number n, which has the time at; empty if it is not to be written. It is
// valid until the next call.
func (f *braces) line(n int, at time.Duration, s, entered *analyze.Step) []byte {
	before, follows := f.last[s.ThreadID]
	f.last[s.ThreadID] = at
	if n < f.from || n >= f.to {
		return nil
	}
	l := flowLine{step: s, at: at, elapsed: at - f.begin, delta: at - before, follows: follows}
	l.took = s.Kind == analyze.Leave && s.State.Returned() || s.Kind == analyze.Waited
	f.text = f.fields.before(f.text[:0], &l)
	for range min(s.Depth, maxIndent) {
		f.text = append(f.text, "  "...)
	}
	f.text = append(appendContent(f.text, s, entered), '\n')
	return f.text
}

// writeArrow writes a line of uflow's layout. It shows no waits, and no end of a call without a
// return.
func writeArrow(out *bufio.Writer, s *analyze.Step) error {
	arrow := "->"
	switch s.Kind {
	case analyze.Waited:
		return nil
	case analyze.Exec:
		arrow = "=="
	case analyze.Leave:
		arrow = "<-"
		if !s.State.Returned() {
			return nil
		}
	}
	_, err := fmt.Fprintf(out, "%-3d %-6d %-6s %-12s %s%s %s\n", s.CPU, s.Thread.PID, analyze.FlowName(s.Thread),
		fmt.Sprintf("%d.%03d", s.At.Microseconds(), s.At.Nanoseconds()%1000), indent(s.Depth), arrow, arrowName(s))
	return err
}

// arrowName is a function's name with the values of the call, or an exec.
func arrowName(s *analyze.Step) string {
	switch {
	case s.Kind == analyze.Exec:
		return execText(s)
	case s.Args == "":
		return s.Func.Name + result(s)
	}
	return string(appendCall(nil, s))
}
