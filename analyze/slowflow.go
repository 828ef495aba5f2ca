package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// Limits of the flow below a slow call.
const (
	maxBelow     = 50       // calls and hits
	maxArgsBytes = 16 << 10 // of the values of a call or a return, as in the file
	maxOpenBytes = 64 << 20 // of the values of all open calls
)

// notKept is shown for values that are too long.
const notKept = "..."

// slowFlows is the view that collects the flows below calls that the first pass has found.
type slowFlows struct {
	wanted map[callKey]*callFlow // of all threads: the view that sees a thread fills its flows
	open   map[format.ThreadID]*openFlows
	room   int // bytes of values of open calls that it may still keep
}

// openFlows are the slow calls that are open in a thread.
type openFlows struct {
	flows []*callFlow
	args  [][]byte // of each open call, from the outermost slow one on
}

// callFlow is a slow call and the flow below it. The slow call is the first of calls.
type callFlow struct {
	level     int // frames around it, up to the outermost slow call
	calls     []flowCall
	minNs     int64 // shorter calls need not be added
	omitted   uint64
	omittedNs int64
	waits     Waits
	longest   Wait
}

type flowCall struct {
	startNs, endNs int64
	durationNs     int64 // of a complete one
	depth          int   // below the slow call
	number         uint32
	fn             format.FuncID
	state          State
	hit            bool
	wait           *Wait // it is a wait
	args, results  []byte
}

func newSlowFlows(wanted map[callKey]*callFlow) *slowFlows {
	return &slowFlows{wanted: wanted, open: map[format.ThreadID]*openFlows{}, room: maxOpenBytes}
}

func (s *slowFlows) define([]format.Func) {}

func (s *slowFlows) enter(t *thread, f, _ *frame) {
	f.node = t.nextNumber()
	s.begin(t, f)
}

// wants reports whether a call that begins is one of the slow calls.
func (s *slowFlows) wants(t *thread, f *frame) bool {
	return s.wanted[callKey{t.id, f.node, f.startNs}] != nil
}

// begin notes a call that has its number.
func (s *slowFlows) begin(t *thread, f *frame) {
	open := s.open[t.id]
	if flow := s.wanted[callKey{t.id, f.node, f.startNs}]; flow != nil {
		if open == nil {
			open = &openFlows{}
			s.open[t.id] = open
		}
		flow.level = len(open.args)
		open.flows = append(open.flows, flow)
	}
	if open == nil {
		return
	}
	args := keep(t.args())
	if len(args) > s.room {
		args = []byte(notKept)
	}
	s.room -= len(args)
	open.args = append(open.args, args)
}

func (s *slowFlows) leave(t *thread, f *frame, state State) {
	open := s.open[t.id]
	if open == nil {
		return
	}
	level := len(open.args) - 1
	args := open.args[level]
	open.args = open.args[:level]
	s.room += len(args)
	c := flowCall{startNs: f.startNs, endNs: t.nowNs, number: f.node, fn: f.fn, state: state, args: args}
	if state.Returned() {
		c.durationNs = f.durationNs(t)
	}
	for _, flow := range open.flows {
		flow.add(t, c, level)
	}
	if last := len(open.flows) - 1; open.flows[last].level == level {
		if t.sched != nil {
			waits, _ := t.sched.waits()
			open.flows[last].waits = waits.within(time.Duration(f.durationNs(t)))
			open.flows[last].longest = t.sched.longest()
		}
		open.flows = open.flows[:last]
	}
	if len(open.flows) == 0 {
		delete(s.open, t.id)
	}
}

func (s *slowFlows) hit(t *thread, f *frame) {
	f.node = t.nextNumber()
	s.point(t, f)
}

// point notes a hit that has its number.
func (s *slowFlows) point(t *thread, f *frame) {
	open := s.open[t.id]
	if open == nil {
		return
	}
	c := flowCall{startNs: t.nowNs, endNs: t.nowNs, number: f.node, fn: f.fn, hit: true, args: keep(t.args())}
	for _, flow := range open.flows {
		flow.add(t, c, len(open.args))
	}
}

// add keeps a call if it is one of the longest. Its length is the time from its entry to the row
// that ended it. So no call is shorter than the calls inside it, and each kept call has its
// callers.
func (c *callFlow) add(t *thread, call flowCall, level int) {
	if call.endNs-call.startNs < c.minNs {
		c.omit(&call)
		return
	}
	call.depth = level - c.level
	if call.state == Complete && !call.hit {
		call.results = keep(t.args())
	}
	if c.calls = append(c.calls, call); len(c.calls) >= 2*maxBelow {
		c.cut()
	}
}

func (c *callFlow) omit(call *flowCall) {
	c.omitted++
	c.omittedNs = max(c.omittedNs, call.durationNs)
}

func (c *callFlow) cut() {
	if len(c.calls) <= maxBelow+1 {
		return
	}
	slices.SortFunc(c.calls, func(a, b flowCall) int {
		return cmp.Or(cmp.Compare(b.endNs-b.startNs, a.endNs-a.startNs), cmp.Compare(a.depth, b.depth), cmp.Compare(a.number, b.number))
	})
	for i := maxBelow + 1; i < len(c.calls); i++ {
		c.omit(&c.calls[i])
		c.calls[i] = flowCall{}
	}
	c.calls = c.calls[:maxBelow+1]
	c.minNs = c.calls[maxBelow].endNs - c.calls[maxBelow].startNs
}

// steps returns the flow in order of time.
func (c *callFlow) steps(id format.ThreadID, tables format.Tables) []Step {
	c.cut()
	slices.SortFunc(c.calls, func(a, b flowCall) int {
		return cmp.Or(cmp.Compare(a.startNs, b.startNs), cmp.Compare(a.number, b.number))
	})
	var steps []Step
	step := func(kind StepKind, call *flowCall, ns int64) *Step {
		steps = append(steps, Step{
			Kind: kind, Depth: call.depth, At: time.Duration(ns),
			ThreadID: id, Thread: &tables.Threads[id], Func: &tables.Funcs[call.fn],
		})
		return &steps[len(steps)-1]
	}
	var open []*flowCall
	leave := func(depth int) {
		for len(open) > 0 && open[len(open)-1].depth >= depth {
			call := open[len(open)-1]
			open = open[:len(open)-1]
			s := step(Leave, call, call.endNs)
			if s.State = call.state; s.State.Returned() {
				s.Duration = time.Duration(call.durationNs)
				s.Results = keptValues(s.Func.Results, call.results)
			}
		}
	}
	for i := range c.calls {
		call := &c.calls[i]
		leave(call.depth)
		kind := Enter
		switch {
		case call.wait != nil:
			s := step(Waited, call, call.endNs)
			s.Wait, s.Duration, s.Func = call.wait, call.wait.sum(), nil
			continue
		case call.hit:
			kind = Hit
		default:
			open = append(open, call)
		}
		s := step(kind, call, call.startNs)
		s.Args = keptValues(s.Func.Args, call.args)
	}
	leave(0)
	return steps
}

// keep copies the values of a row, unless they are too long.
func keep(args []byte) []byte {
	if len(args) > maxArgsBytes {
		return []byte(notKept)
	}
	return slices.Clone(args)
}

func keptValues(defs []format.Arg, kept []byte) string {
	if string(kept) == notKept {
		return notKept
	}
	return formatValues(defs, kept)
}
