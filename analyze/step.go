package analyze

import (
	"strconv"
	"time"

	"utrace/format"
)

// Step is one event in a flow of calls.
type Step struct {
	Kind     StepKind
	Wait     *Wait         // of a Waited; Duration is its sum
	Program  string        // of an Exec: the name of the new program
	State    State         // of a Leave
	CPU      uint16        // if Flow was asked for it
	Depth    int           // shown calls around it
	At       time.Duration // since the start of the trace
	Duration time.Duration // of a Leave that has Returned, and of a Waited
	// Uncertain: events were lost during a call that has Returned, perhaps its return and the entry
	// of another call.
	Uncertain bool
	ThreadID  format.ThreadID
	Thread    *format.Thread
	Func      *format.Func
	Module    string // path of the function's file
	// Args are the values of an Enter or a Hit, Results those of a Leave that is Complete. Both are
	// written as in C; "" for none.
	Args, Results string
}

// StepKind is the kind of a Step.
type StepKind uint8

const (
	// Enter: a call begins.
	Enter StepKind = iota
	// Leave: a call is over, at this time or before.
	Leave
	// Hit: a point was passed.
	Hit
	// Waited: the thread was off the processor and runs again.
	Waited
	// Exec: the process executes another program. Its calls end now.
	Exec
)

// FlowName names a thread in a flow: a thread's ID, g and a goroutine's number, or s and a track's
// number.
func FlowName(t *format.Thread) string { return string(AppendFlowName(nil, t)) }

// AppendFlowName appends what FlowName returns.
func AppendFlowName(b []byte, t *format.Thread) []byte {
	switch {
	case t.Track != 0:
		return strconv.AppendInt(append(b, 's'), int64(t.Track), 10)
	case t.Goroutine != 0:
		return strconv.AppendUint(append(b, 'g'), t.Goroutine, 10)
	}
	return strconv.AppendInt(b, int64(t.TID), 10)
}

// Flow visits the steps of a trace in order of time, all threads together. Calls that are open at
// the end leave there, thread by thread. With Options.Min there are no Hits and Execs, and a step
// comes once it is known which calls before it took that long. An error of visit ends the flow and
// is returned. A Step is valid during visit, its pointers also afterwards. Flow returns the warnings about the trace.
func Flow(path string, opts Options, cpu bool, visit func(*Step) error) (warnings []Warning, err error) {
	src, err := openSource(path, &opts)
	if err != nil {
		return nil, err
	}
	defer src.close()
	seen := false
	v := &steps{selection: selection{opts: &opts}, visit: func(s *Step) error {
		seen = true
		return visit(s)
	}}
	long := newLongCalls(opts.Min, v.visit)
	if opts.Min > 0 {
		v.visit = long.step
	}
	m := &merger{pairer: newPairer(v)}
	m.pairer.sched, m.pairer.waited, m.pairer.executed = src.meta.Sched, v.waited, v.executed
	err = src.each(format.Columns{CPU: cpu, Args: true}, func(b *batch) error {
		m.batch(b, src, &opts)
		b.release()
		return v.err
	})
	if err != nil {
		return nil, err
	}
	var sum tally
	for _, t := range m.threads {
		if t != nil {
			m.pairer.finish(t)
			sum.thread(t)
		}
	}
	if v.err == nil {
		v.err = long.flush()
	}
	sum.pairer(m.pairer)
	s := newSummary([]string{path})
	s.add(path, src, sum, &opts)
	s.warnDropped(path, src, &opts)
	if !seen {
		s.warnNothing(&opts)
	}
	return s.warnings, v.err
}

// steps is the view that passes each step to a visitor.
type steps struct {
	selection
	funcs   []format.Func
	modules []format.Module
	visit   func(*Step) error
	current Step  // that is visited
	err     error // the first of visit, which is not called again
}

func (s *steps) define(funcs []format.Func) {
	s.funcs = funcs
	s.selection.define(funcs)
}

// enter counts the shown calls up to f in node.
func (s *steps) enter(t *thread, f, parent *frame) {
	s.selection.enter(f, parent)
	if parent != nil {
		f.node = parent.node
	}
	if f.hidden {
		return
	}
	st := s.begin(t, Enter, int(f.node))
	s.setFunc(st, f.fn)
	st.Args = formatValues(st.Func.Args, t.args())
	s.end(st)
	f.node++
}

func (s *steps) leave(t *thread, f *frame, state State) {
	if f.hidden {
		return
	}
	st := s.begin(t, Leave, int(f.node)-1)
	s.setFunc(st, f.fn)
	st.State, st.Uncertain = state, f.uncertain
	if state.Returned() {
		st.Duration = time.Duration(f.durationNs(t))
	}
	if state == Complete {
		st.Results = formatValues(st.Func.Results, t.args())
	}
	s.end(st)
}

func (s *steps) hit(t *thread, f *frame) {
	parent := t.top()
	if parent != nil {
		f.node = parent.node
	}
	if s.selection.enter(f, parent); !f.hidden {
		st := s.begin(t, Hit, int(f.node))
		s.setFunc(st, f.fn)
		st.Args = formatValues(st.Func.Args, t.args())
		s.end(st)
	}
}

// waited visits a wait in a shown call.
func (s *steps) waited(t *thread, w *Wait) {
	if n := len(t.frames); n > 0 && !t.frames[n-1].hidden {
		st := s.begin(t, Waited, int(t.frames[n-1].node))
		st.Wait, st.Duration = w, w.Runnable+w.Blocked+w.Unknown
		s.end(st)
	}
}

// executed visits an exec, unless functions are selected and none of them is running.
func (s *steps) executed(t *thread, program string) {
	depth := 0
	switch top := t.top(); {
	case top != nil && !top.hidden:
		depth = int(top.node)
	case s.opts.Function != nil || s.opts.outside(t.nowNs):
		return
	}
	st := s.begin(t, Exec, depth)
	st.Program = program
	s.end(st)
}

// begin returns the step of a thread that end is to visit.
func (s *steps) begin(t *thread, kind StepKind, depth int) *Step {
	st := &s.current
	*st = Step{}
	st.Kind, st.Depth, st.CPU = kind, depth, t.cpu()
	st.At, st.ThreadID, st.Thread = time.Duration(t.nowNs), t.id, &t.info
	return st
}

func (s *steps) setFunc(st *Step, fn format.FuncID) {
	st.Func = &s.funcs[fn]
	st.Module = s.modules[st.Func.Module].Path
}

func (s *steps) end(st *Step) {
	if s.err == nil {
		s.err = s.visit(st)
	}
}

// merger pairs the events of all threads in order of time. Batches are in that order already.
// Within a batch, it repeatedly takes the earliest of the threads' next rows, and all rows of that
// thread up to the next row of another one.
type merger struct {
	pairer  *pairer
	threads []*thread
	queue   queue
}

func (m *merger) batch(b *batch, src *source, opts *Options) {
	m.pairer.learn(src.defined(opts.Raw))
	m.threads = append(m.threads, make([]*thread, len(src.tables.Threads)-len(m.threads))...)
	m.queue = m.queue[:0]
	for i := range b.runs {
		r := &b.runs[i]
		info := src.tables.Threads[r.thread]
		if !opts.thread(info) {
			continue
		}
		t := m.threads[r.thread]
		if t == nil {
			t = &thread{id: r.thread, info: info, process: src.processes[r.thread]}
			m.threads[r.thread] = t
		}
		m.pairer.cross(t)
		t.startRun(r)
		m.queue = append(m.queue, cursor{t.nowNs + int64(b.DeltaNs[r.from]), r.from, r})
	}
	m.queue.order()
	v := m.pairer.view.(*steps)
	v.modules = src.tables.Modules
	for len(m.queue) > 0 {
		c := &m.queue[0]
		from := c.row
		for next, ok := m.queue.second(), true; ok; ok = c.row < c.run.to && (next == nil || c.before(next)) {
			if c.row++; c.row < c.run.to {
				c.nextNs += int64(b.DeltaNs[c.row])
			}
		}
		m.pairer.process(m.threads[c.run.thread], &b.Batch, from, c.row)
		m.queue.moved(c.row < c.run.to)
	}
}
