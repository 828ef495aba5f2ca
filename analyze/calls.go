package analyze

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"utrace/format"
)

// maxHeldBytes limits the values of open calls that a view keeps until the calls end.
const maxHeldBytes = 256 << 20

// Call is one call, or one hit, with all its facts.
type Call struct {
	Trace     string // file
	Host      string
	Function  *Function
	Thread    *format.Thread
	Process   *format.Process // as it was when the thread was first seen
	Hit       bool            // it is a hit of a point: State means nothing
	State     State
	Uncertain bool          // events were lost meanwhile: its duration is unknown
	Begin     time.Time     // by the wall clock
	Start     time.Duration // since the start of the trace
	Duration  time.Duration // of a Complete call
	Self      time.Duration // of a Complete call
	Total     time.Duration // its part of the total time of its function, see EachCall
	Depth     int           // calls around it
	Weight    float64       // how many calls it stands for; 1 if all calls of its function were recorded
	Arguments string        // JSON object, "" for none
	Results   string        // the same, of a Complete call
}

// EachCall visits every call of traces when it ends, batch by batch and thread by thread. Calls
// that are open at the end come last. An error of visit ends it and is returned. The Call is only
// valid during the visit. EachCall returns the warnings about the traces.
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
	v := &calls{latency: latency{opts: opts}, src: src, fns: fns, visit: visit, call: Call{Trace: FileName(path), Host: src.meta.Host}}
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
	src     *source
	fns     *functions
	numbers []int      // by function: its number in fns
	open    [][]string // by thread: the arguments of its open calls
	held    int        // bytes in open
	dropped uint64
	args    []byte // of the row in hand
	call    Call
	visit   func(*Call) error
	err     error // the first of visit; it is not called again
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
	v.open[t.id] = append(v.open[t.id], text)
}

func (v *calls) leave(t *thread, f *frame, state State) {
	open := v.open[t.id]
	depth := len(open) - 1
	arguments := open[depth]
	v.open[t.id] = open[:depth]
	v.held -= len(arguments)

	s := v.of(t, uint32(f.fn))
	total, self := s.Total, s.Self
	v.latency.leave(t, f, state)
	c := &v.call
	c.Hit, c.State, c.Depth, c.Arguments = false, state, depth, arguments
	c.Duration, c.Self, c.Total, c.Results = 0, s.Self-self, s.Total-total, ""
	c.Uncertain, c.Weight = f.uncertain, v.src.cover.Stands(f.fn, f.place)
	if state == Complete {
		c.Duration = time.Duration(f.durationNs(t))
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
	c.Duration, c.Self, c.Total, c.Weight = 0, 0, 0, v.src.cover.Stands(fn, f.place)
	v.tell(t, fn, t.nowNs)
}

func (v *calls) tell(t *thread, fn format.FuncID, startNs int64) {
	if v.err != nil || !v.opts.Function.function(&v.src.tables.Funcs[fn]) {
		return
	}
	c := &v.call
	c.Function, c.Thread, c.Process = &v.fns.list[v.numbers[fn]], &t.info, t.process
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
