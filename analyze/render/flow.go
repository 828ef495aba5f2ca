package render

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
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
		a := arrows{out: out}
		return a.step, func() error { return nil }
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
		steps := newStepPipe(visit)
		w, err := analyze.Flow(path, opts, cpu, steps.add)
		for _, warning := range w {
			if len(paths) > 1 {
				warning.Source = analyze.FileName(path)
			}
			warnings = append(warnings, warning)
		}
		if err = cmp.Or(err, steps.close()); err == nil {
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
	begin   time.Duration // time of the first step
	threads []flowThread  // by number
	held    heldLines
	bytes   int      // in held
	first   int      // number of the first of held, counted from the start
	current flowLine // scratch, as is its text
	text    []byte
}

// flowThread is the state of a thread in a flow.
type flowThread struct {
	last    time.Duration // time of its last line
	follows bool          // it has had a line
	waiting int           // number of the line that waits for its next step, from 1; 0 for none
}

func newBraces(out *bufio.Writer, fields Fields) *braces {
	return &braces{out: out, fields: fields, to: math.MaxInt}
}

func (f *braces) thread(id format.ThreadID) *flowThread {
	if int(id) >= len(f.threads) {
		f.threads = append(f.threads, make([]flowThread, int(id)+1-len(f.threads))...)
	}
	return &f.threads[id]
}

func (f *braces) step(s *analyze.Step) error {
	if !f.begun {
		f.begun, f.begin = true, s.At
	}
	t := f.thread(s.ThreadID)
	if t.waiting > 0 {
		entered := t.waiting - 1
		t.waiting = 0
		line := f.held.at(entered - f.first)
		if s.Kind == analyze.Leave && (s.State == analyze.Complete || s.State == analyze.NoReturn) {
			return cmp.Or(f.decide(line, f.line(entered, line.step.At, s, &line.step)), f.release())
		}
		if err := cmp.Or(f.decide(line, f.line(entered, line.step.At, &line.step, nil)), f.release()); err != nil {
			return err
		}
	}
	n := f.first + f.held.count
	switch {
	case s.Kind == analyze.Enter:
		t.waiting = n + 1
		line := f.held.push()
		line.step, line.waiting = *s, true
		f.bytes += line.bytes()
	case f.held.count == 0:
		f.first++
		_, err := f.out.Write(f.line(n, s.At, s, nil))
		return err
	default:
		line := f.held.push()
		line.text = append(line.text, f.line(n, s.At, s, nil)...)
		f.bytes += line.bytes()
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

// decide ends the waiting of a line. The first one is written at once.
func (f *braces) decide(line *heldLine, text []byte) error {
	f.bytes -= line.bytes()
	line.step.Args, line.waiting = "", false
	if line == f.held.at(0) {
		_, err := f.out.Write(text)
		return err
	}
	line.text = append(line.text, text...)
	f.bytes += len(text)
	return nil
}

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
	for f.held.count > 0 {
		line := f.held.at(0)
		if line.waiting {
			if f.held.count <= maxHeld && f.bytes <= maxHeldBytes {
				return nil
			}
			f.thread(line.step.ThreadID).waiting = 0
			if err := f.decide(line, f.line(f.first, line.step.At, &line.step, nil)); err != nil {
				return err
			}
		}
		f.bytes -= line.bytes()
		if _, err := f.out.Write(line.text); err != nil {
			return err
		}
		f.first++
		f.held.pop()
	}
	return nil
}

// flush writes what is left.
func (f *braces) flush() error {
	for i := range f.held.count {
		line := f.held.at(i)
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

func appendIndent(b []byte, depth int) []byte {
	for range min(depth, maxIndent) {
		b = append(b, "  "...)
	}
	return b
}

// line is the line with number n, which has the time at; empty if it is not to be written. It is
// valid until the next call.
func (f *braces) line(n int, at time.Duration, s, entered *analyze.Step) []byte {
	t := f.thread(s.ThreadID)
	l := &f.current
	l.step, l.at, l.elapsed, l.delta, l.follows = s, at, at-f.begin, at-t.last, t.follows
	t.last, t.follows = at, true
	if n < f.from || n >= f.to {
		return nil
	}
	l.took = s.Kind == analyze.Leave && s.State.Returned() || s.Kind == analyze.Waited
	f.text = f.fields.before(f.text[:0], l)
	f.text = append(appendContent(appendIndent(f.text, s.Depth), s, entered), '\n')
	return f.text
}

// arrows writes uflow's layout. It shows no waits, and no end of a call without a return.
type arrows struct {
	out  *bufio.Writer
	text []byte // of a line, scratch
}

func (a *arrows) step(s *analyze.Step) error {
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
	b := padRight(strconv.AppendUint(a.text[:0], uint64(s.CPU), 10), 0, 3)
	from := len(b)
	b = padRight(strconv.AppendInt(b, int64(s.Thread.PID), 10), from, 6)
	from = len(b)
	b = padRight(analyze.AppendFlowName(b, s.Thread), from, 6)
	from = len(b)
	ns := s.At.Nanoseconds() % 1000
	b = append(strconv.AppendInt(b, s.At.Microseconds(), 10), '.', byte('0'+ns/100), byte('0'+ns/10%10), byte('0'+ns%10))
	b = padRight(b, from, 12)
	b = append(append(appendIndent(b, s.Depth), arrow...), ' ')
	a.text = append(appendArrowName(b, s), '\n')
	_, err := a.out.Write(a.text)
	return err
}

// padRight appends spaces, so that the ASCII text from there on has a width and a space follows.
func padRight(b []byte, from, width int) []byte {
	for len(b)-from < width {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

// appendArrowName appends a function's name with the values of the call, or an exec.
func appendArrowName(b []byte, s *analyze.Step) []byte {
	switch {
	case s.Kind == analyze.Exec:
		return append(b, execText(s)...)
	case s.Args == "":
		return append(append(b, s.Func.Name...), result(s)...)
	}
	return appendCall(b, s)
}
