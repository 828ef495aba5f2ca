package calls

import (
	"utrace/format"
)

// maxDepth limits the open calls of a thread. Deeper calls are not paired.
const maxDepth = 1 << 14

// Frame is an open call.
type Frame struct {
	Func    format.FuncID
	SP      uint64 // 0 if unknown
	EntryNs uint64
	Args    string // JSON array of the values of the entry, "" without any
	Marked  bool   // for the user of a Pairer; false at first
}

// Call is a complete call.
type Call struct {
	Frame
	Thread   format.ThreadID
	ReturnNs uint64
	Value    uint64 // the return value
	Results  string // JSON array of the values of the return, "" without any
	Dropped  bool   // it did not meet a condition that the kernel has decided
}

// DurationNs returns how long the call took, as measured.
func (c *Call) DurationNs() uint64 { return c.ReturnNs - min(c.EntryNs, c.ReturnNs) }

// Pairer pairs returns with entries. Its zero value is ready. The events of a thread must come in
// order.
type Pairer struct {
	threads [][]Frame // by ThreadID
	spans   []bool    // by FuncID: it is a span between static probes
}

// Define tells the Pairer of the next function.
func (p *Pairer) Define(fn *format.Func) { p.spans = append(p.spans, fn.USDT != "") }

// Open returns the open calls of a thread, from the outermost to the innermost. The caller may mark
// them.
func (p *Pairer) Open(thread format.ThreadID) []Frame {
	if int(thread) >= len(p.threads) {
		return nil
	}
	return p.threads[thread]
}

// Threads returns a number greater than that of any thread with open calls.
func (p *Pairer) Threads() format.ThreadID { return format.ThreadID(len(p.threads)) }

// Enter opens a call.
func (p *Pairer) Enter(e *format.Event, args string) {
	p.Unwind(e)
	for int(e.Thread) >= len(p.threads) {
		p.threads = append(p.threads, nil)
	}
	if frames := p.threads[e.Thread]; len(frames) < maxDepth {
		p.threads[e.Thread] = append(frames, Frame{Func: e.Func, SP: e.SP, EntryNs: e.TimeNs, Args: args})
	}
}

// Unwind ends the calls that an entry shows to be over, without opening one.
func (p *Pairer) Unwind(e *format.Event) {
	frames := p.Open(e.Thread)
	if e.SP == 0 || len(frames) == 0 {
		return
	}
	n := len(frames)
	for n > 0 && frames[n-1].SP != 0 && frames[n-1].SP < e.SP {
		n--
	}
	if e.Kind != format.TailEntry {
		n = p.unwindLevel(frames, n, e)
	}
	p.threads[e.Thread] = frames[:n]
}

// unwindLevel returns how many of the first n frames remain after an entry at the depth of the
// innermost of them.
func (p *Pairer) unwindLevel(frames []Frame, n int, e *format.Event) int {
	isSpan := p.isSpan(e.Func)
	for i := n; i > 0 && frames[i-1].SP == e.SP; i-- {
		if !isSpan || frames[i-1].Func == e.Func {
			n = i - 1
		}
	}
	return n
}

func (p *Pairer) isSpan(fn format.FuncID) bool { return int(fn) < len(p.spans) && p.spans[fn] }

// Return closes a call, and returns it. It reports false if no entry was seen.
func (p *Pairer) Return(e *format.Event, results string) (Call, bool) {
	frames := p.Open(e.Thread)
	n := len(frames)
	for e.SP != 0 && n > 0 && frames[n-1].SP != 0 && frames[n-1].SP < e.SP {
		n--
	}
	for i := n; i > 0; i-- {
		f := &frames[i-1]
		if e.SP != 0 && f.SP != 0 && f.SP != e.SP {
			break
		}
		if f.Func == e.Func {
			p.threads[e.Thread] = frames[:i-1]
			return Call{Frame: *f, Thread: e.Thread, ReturnNs: e.TimeNs, Value: e.Value, Results: results, Dropped: e.Kind == format.DroppedReturn}, true
		}
	}
	if n < len(frames) {
		p.threads[e.Thread] = frames[:n]
	}
	return Call{}, false
}

// Exit ends the calls of a thread.
func (p *Pairer) Exit(thread format.ThreadID) {
	if int(thread) < len(p.threads) {
		p.threads[thread] = nil
	}
}

// Forget ends the calls of all threads.
func (p *Pairer) Forget() { p.threads = nil }
