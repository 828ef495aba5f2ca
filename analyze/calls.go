package analyze

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"utrace/format"
)

// maxHeldBytes limits the values of open calls that a view keeps until the calls end.
const maxHeldBytes = 256 << 20

// Call is one call, or one hit, with all its facts.
type Call struct {
	Trace     string // file
	Recording string // the same for each copy of the trace, see recordingID
	Host      string
	Labels    map[string]string // of the recording
	Function  *Function
	Thread    *format.Thread
	Process   *format.Process // as it was when the thread was first seen
	Command   string          // command line of that program, "" if unknown
	Hit       bool            // it is a hit of a point: State means nothing
	State     State
	Uncertain bool          // events were lost meanwhile: its duration is unknown
	Begin     time.Time     // by the wall clock
	Start     time.Duration // since the start of the trace
	Duration  time.Duration // of a Complete call
	Self      time.Duration // of a Complete call
	Total     time.Duration // its part of the total time of its function, see EachCall
	Elapsed   time.Duration // of a Complete call, as measured: the cost of probes is not subtracted
	Failed    bool          // a Complete call that counts in Stats.Errors
	Depth     int           // calls around it
	Path      string        // the functions of the calls around it and its own, with ; between, see callerPath
	Weight    float64       // how many calls it stands for; 1 if all calls of its function were recorded
	Arguments string        // JSON object, "" for none
	Results   string        // the same, of a Complete call
}

// EachCall visits every call of traces when it ends, batch by batch and thread by thread. Calls
// that are open at the end come last. An error of visit ends it and is returned. The Call is used
// again for the next visit; a copy of it stays valid. EachCall returns the warnings about the traces.
//
// The figures of a Report are sums over the calls, each times its Weight. For functions with windows
// this leaves out what calls were cut off from, and self time contains callees that were not probed.
//
// A report's total time counts a recursive function once
// per outermost call, so Total is 0 for a call inside another of its function. The Total of an
// outermost call is its duration; if it is not complete, Total is the sum of the complete ones
// inside it.
//
// Dropped calls are not visited: a warning says how many there are. A call that was kept inside a
// dropped call of its function adds nothing to the total.
func EachCall(paths []string, opts Options, visit func(*Call) error) (warnings []Warning, err error) {
	sum := newSummary(paths)
	fns := newFunctions()
	for _, path := range paths {
		if err := visitCalls(path, &opts, fns, sum, visit); err != nil {
			return nil, err
		}
	}
	return sum.warnings, nil
}

func visitCalls(path string, opts *Options, fns *functions, sum *summary, visit func(*Call) error) error {
	src, err := openSource(path, opts)
	if err != nil {
		return err
	}
	defer src.close()
	v := &calls{latency: latency{opts: opts}, src: src, fns: fns, visit: visit, commands: map[int]string{}, call: Call{
		Trace: FileName(path), Recording: recordingID(&src.meta), Host: src.meta.Host, Labels: src.meta.Labels,
	}}
	p := newPairer(v)
	var threads []*thread
	err = src.each(format.Columns{Args: true}, func(b *batch) error {
		defer b.release()
		p.learn(src.defined(opts.Raw))
		for id := len(threads); id < len(src.tables.Threads); id++ {
			threads = append(threads, &thread{id: format.ThreadID(id), info: src.tables.Threads[id], process: src.processes[id]})
			v.open = append(v.open, nil)
		}
		for i := range b.runs {
			r := &b.runs[i]
			t := threads[r.thread]
			if !opts.thread(t.info) {
				continue
			}
			t.startRun(r)
			for row := r.from; row < r.to && v.err == nil; row++ {
				v.args = b.Args(row)
				p.process(t, &b.Batch, row, row+1)
			}
		}
		return v.err
	})
	if err != nil {
		return err
	}
	var end tally
	for _, t := range threads {
		p.finish(t)
		end.thread(t)
	}
	end.pairer(p)
	sum.add(path, src, end, opts)
	sum.warnDropped(path, src, opts)
	if v.dropped > 0 {
		sum.warn(path, "the arguments of %s are left out: those of calls open at the same time take more than %d MiB",
			Plural(v.dropped, "call", "calls"), maxHeldBytes>>20)
	}
	return v.err
}

// calls is the view that passes each call to a visitor. latency decides which calls count, and how.
type calls struct {
	latency
	src      *source
	fns      *functions
	numbers  []int             // by function: its number in fns
	open     [][]openArguments // by thread: its open calls
	commands map[int]string    // by process: its command line
	paths    callerPaths
	held     int // bytes of arguments in open
	dropped  uint64
	args     []byte // of the row in hand
	call     Call
	visit    func(*Call) error
	err      error // the first of visit; it is not called again
}

// openArguments is what is kept of an open call.
type openArguments struct {
	text string // JSON
	path *callerPath
}

func (v *calls) define(funcs []format.Func) {
	v.latency.define(funcs)
	for i := len(v.numbers); i < len(funcs); i++ {
		v.numbers = append(v.numbers, v.fns.add(&funcs[i], v.src.tables.Modules))
	}
}

func (v *calls) enter(t *thread, f, parent *frame) {
	v.latency.enter(t, f, parent)
	text := ""
	if len(v.args) > 0 {
		text = jsonValues(v.src.tables.Funcs[f.fn].Args, v.args)
		if v.held+len(text) > maxHeldBytes {
			text = ""
			v.dropped++
		}
		v.held += len(text)
	}
	v.open[t.id] = append(v.open[t.id], openArguments{text, v.pathOf(t, f.fn)})
}

func (v *calls) leave(t *thread, f *frame, state State) {
	open := v.open[t.id]
	depth := len(open) - 1
	call := open[depth]
	v.open[t.id] = open[:depth]
	v.held -= len(call.text)

	s := v.of(t, uint32(f.fn))
	total, self, errors := s.Total, s.Self, s.Errors
	v.latency.leave(t, f, state)
	c := &v.call
	c.Hit, c.State, c.Depth, c.Arguments, c.Path = false, state, depth, call.text, call.path.text
	c.Duration, c.Self, c.Total, c.Elapsed, c.Results = 0, s.Self-self, s.Total-total, 0, ""
	c.Failed = s.Errors > errors
	c.Uncertain, c.Weight = f.uncertain, v.src.cover.Stands(f.fn, f.place)
	if state == Complete {
		c.Duration, c.Elapsed = time.Duration(f.durationNs(t)), time.Duration(t.nowNs-f.startNs)
		if f.place.Unfair { // it is in no figure of its function
			c.Self = time.Duration(f.selfNs(t))
		}
		c.Results = jsonValues(v.src.tables.Funcs[f.fn].Results, v.args)
	}
	if state != Dropped { // the report has the number of these only
		v.tell(t, f.fn, f.startNs)
	}
}

func (v *calls) hit(t *thread, f *frame) {
	c, fn := &v.call, f.fn
	c.Hit, c.Uncertain, c.State, c.Depth = true, false, Complete, len(v.open[t.id])
	c.Arguments, c.Results = jsonValues(v.src.tables.Funcs[fn].Args, v.args), ""
	c.Duration, c.Self, c.Total, c.Elapsed, c.Weight = 0, 0, 0, 0, v.src.cover.Stands(fn, f.place)
	c.Failed, c.Path = false, v.pathOf(t, fn).text
	v.tell(t, fn, t.nowNs)
}

// commandOf returns the command line of a thread's process, "" if it is unknown.
func (v *calls) commandOf(t *thread) string {
	process := v.src.lives[t.id].process
	if process == none {
		return ""
	}
	command, ok := v.commands[process]
	if !ok {
		command = strings.Join(v.src.tables.Processes[process].Args, " ")
		v.commands[process] = command
	}
	return command
}

// pathOf returns the path of a call or hit inside the open calls of a thread.
func (v *calls) pathOf(t *thread, fn format.FuncID) *callerPath {
	var caller *callerPath
	if open := v.open[t.id]; len(open) > 0 {
		caller = open[len(open)-1].path
	}
	return v.paths.of(caller, fn, v.src.tables.Funcs[fn].Name)
}

func (v *calls) tell(t *thread, fn format.FuncID, startNs int64) {
	if v.err != nil || !v.opts.Function.function(&v.src.tables.Funcs[fn]) {
		return
	}
	c := &v.call
	c.Function, c.Thread, c.Process, c.Command = &v.fns.list[v.numbers[fn]], &t.info, t.process, v.commandOf(t)
	c.Start = time.Duration(startNs)
	c.Begin = time.Unix(0, v.src.meta.Start.WallNs).UTC().Add(c.Start)
	v.err = v.visit(c)
}

// jsonValues makes a JSON object of an event's array of values, with the names of their
// definitions. Characters that are not printable become JSON escapes: the text is safe and the
// values as recorded.
func jsonValues(defs []format.Arg, raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	var values []json.RawMessage
	if json.Unmarshal(raw, &values) != nil || len(values) == 0 {
		return ""
	}
	var b bytes.Buffer
	b.WriteByte('{')
	used := map[string]bool{}
	for i, value := range values {
		name := ""
		if i < len(defs) {
			name = Printable(defs[i].Name)
		}
		if name == "" {
			name = fmt.Sprintf("arg%d", i+1)
		}
		for used[name] {
			name += "_"
		}
		used[name] = true
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return ""
		}
		b.Write(key)
		b.WriteByte(':')
		if json.Compact(&b, value) != nil {
			return ""
		}
	}
	b.WriteByte('}')
	return escapeJSON(b.Bytes())
}

// escapeJSON writes characters that are not printable as \u escapes. They can only be inside
// strings.
func escapeJSON(text []byte) string {
	if isPrintable(string(text)) {
		return string(text)
	}
	out := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case strconv.IsPrint(r) && (r != utf8.RuneError || size > 1):
			out = append(out, text[:size]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return string(out)
}
