package analyze

import (
	"time"

	"utrace/analyze/internal/timeline"
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// Limits of a comparedCalls.
const (
	maxCells    = 1 << 17 // of the call paths inside open calls of a view
	maxBranches = 256     // of a call path: further callees count as its own time
	maxWakes    = 16      // of an open call, by call path and waker
	maxFirsts   = 1 << 16 // threads whose first calls are known
	periodPart  = 8       // other calls are noted that take at least this part of what makes a call slow
)

// comparedCalls is the view that compares slow calls of a function with typical ones. A recursive
// function counts with its outermost calls.
//
//  1. An outermost call opens an openCall, which has a cell for each path of calls inside it.
//  2. Each call inside adds its self time and its waits to its cell.
//  3. When the outermost call ends, its duration decides its class. The figures of its cells go to
//     the sums of the class, and the call may become part of the sample of the class.
//
// Calls of other functions, on threads that are not inside, are noted if they are long: they may
// explain why other threads are slow.
type comparedCalls struct {
	opts    *Options
	limits  Limits
	file    int
	of      map[format.FuncID]bool // the compared function
	target  []bool                 // the same by function
	checks  []*errorCheck
	cover   *windows.Coverage
	flows   *slowFlows
	firsts  map[format.ThreadID]bool // threads that have called the function
	callers []bool                   // by function: it has called the function, perhaps indirectly

	list  []*openCall // by thread.slot-1
	free  []uint32    // slots of list
	cells int         // of all openCalls
	room  int         // bytes of values that open calls may still keep

	groups   [Classes]CallTotals
	sums     PathSums
	samples  [Classes]callSample
	all      callSample // of all classes
	others   timeline.Periods
	arrivals timeline.Arrivals
	// incomplete counts calls whose end is unknown, cut those of them that were slow already.
	incomplete, cut uint64
}

// openCall is a call of the compared function that has not ended.
type openCall struct {
	cells       []cell // the first is the call's own
	epoch       uint32 // of the call: cells of earlier calls are used again
	touched     []uint32
	wakes       []wake
	args        []byte
	bits        uint32 // see errorCheck
	cpu         uint16
	first       bool
	wanted      bool // its flow is collected
	preemptedNs int64
}

// cell is the figures of a path of calls inside an openCall.
type cell struct {
	PathSum
	fn     format.FuncID
	parent uint32
	child  uint32 // the first one; 0 for none
	next   uint32 // sibling; 0 for none
	node   uint32 // in the pathSums; 0 if unknown
	epoch  uint32
}

// wake is time of an openCall for which a path was blocked, by who ended that.
type wake struct {
	cell uint32
	by   Waker
	time time.Duration
}

// newComparedCalls makes a view of a trace. of is the compared function in it, wanted the slow calls
// whose flows are collected.
func newComparedCalls(opts *Options, l Limits, file int, cover *windows.Coverage, of map[format.FuncID]bool, wanted map[callKey]*callFlow) *comparedCalls {
	return &comparedCalls{
		opts: opts, limits: l, file: file, cover: cover, of: of, flows: newSlowFlows(wanted), firsts: map[format.ThreadID]bool{},
		room: maxOpenBytes, sums: newPathSums(), others: timeline.NewPeriods((l.Than - l.Low) / periodPart), arrivals: timeline.NewArrivals(),
	}
}

func (c *comparedCalls) define(funcs []format.Func) {
	for i := len(c.checks); i < len(funcs); i++ {
		var check *errorCheck
		is := c.of[format.FuncID(i)]
		if is {
			check = newErrorCheck(&funcs[i], c.opts.Errors)
		}
		c.target = append(c.target, is)
		c.checks = append(c.checks, check)
		c.callers = append(c.callers, false)
	}
}

func (c *comparedCalls) hit(t *thread, f *frame) {
	f.node = t.nextNumber()
	if t.slot != 0 && c.list[t.slot-1].wanted {
		c.flows.point(t, f)
	}
}

// enter keeps the cell of a call in its group. It marks the outermost call as matched, and a call
// without a cell of its own as hidden.
func (c *comparedCalls) enter(t *thread, f, parent *frame) {
	f.node = t.nextNumber()
	if t.slot == 0 {
		if c.target[f.fn] {
			c.begin(t, f)
		}
		return
	}
	open := c.list[t.slot-1]
	at, own := c.child(open, parent.group, f.fn)
	f.group, f.hidden = at, !own
	if open.wanted {
		c.flows.begin(t, f)
	}
}

// begin opens an outermost call.
func (c *comparedCalls) begin(t *thread, f *frame) {
	if len(c.free) == 0 {
		c.list = append(c.list, &openCall{cells: make([]cell, 1)})
		c.free = append(c.free, uint32(len(c.list)))
		c.cells++
	}
	t.slot = c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	c.arrivals.Add(f.startNs)
	open := c.list[t.slot-1]
	open.epoch++
	open.touched, open.wakes, open.args = open.touched[:0], open.wakes[:0], nil
	open.cells[0].fn = f.fn
	open.touch(0)
	f.matched, f.group = true, 0
	if open.first = !c.firsts[t.id] && len(c.firsts) < maxFirsts; open.first {
		c.firsts[t.id] = true
	}
	if args := t.args(); len(args) > 0 && len(args) <= min(c.room, maxSampledBytes) {
		open.args = append([]byte(nil), args...)
		c.room -= len(args)
	}
	open.cpu = t.cpu()
	open.preemptedNs = t.preemptedNs
	if check := c.checks[f.fn]; check != nil {
		open.bits = check.enter(t)
	}
	c.noteCallers(t)
	if open.wanted = c.flows.wants(t, f); open.wanted {
		c.flows.begin(t, f)
	}
}

// noteCallers notes the functions around a call, up to the first that is known.
func (c *comparedCalls) noteCallers(t *thread) {
	for i := len(t.frames) - 2; i >= 0 && !c.callers[t.frames[i].fn]; i-- {
		c.callers[t.frames[i].fn] = true
	}
}

// touch prepares a cell for the current call.
func (o *openCall) touch(at uint32) {
	of := &o.cells[at]
	if of.epoch != o.epoch {
		of.epoch, of.PathSum = o.epoch, PathSum{}
		o.touched = append(o.touched, at)
	}
}

// child returns the cell of fn called from parent. Beyond the limits, there is none, and it returns
// the parent's.
func (c *comparedCalls) child(open *openCall, parent uint32, fn format.FuncID) (at uint32, ok bool) {
	before := uint32(0)
	at = open.cells[parent].child
	branches := 0
	for ; at != 0 && open.cells[at].fn != fn; at = open.cells[at].next {
		before = at
		if branches++; branches == maxBranches {
			c.sums.crowded = true
			return parent, false
		}
	}
	switch {
	case at == 0 && c.cells >= maxCells:
		c.sums.crowded = true
		return parent, false
	case at == 0:
		at = uint32(len(open.cells))
		open.cells = append(open.cells, cell{fn: fn, parent: parent, next: open.cells[parent].child})
		open.cells[parent].child = at
		c.cells++
	case before != 0: // the latest comes first
		open.cells[before].next = open.cells[at].next
		open.cells[at].next = open.cells[parent].child
		open.cells[parent].child = at
	}
	open.touch(at)
	return at, true
}

// waited notes who ended the blocking of a call.
func (c *comparedCalls) waited(t *thread, w *Wait) {
	if t.slot == 0 || w.Blocked == 0 {
		return
	}
	open, at := c.list[t.slot-1], t.top().group
	for i := range open.wakes {
		if of := &open.wakes[i]; of.cell == at && of.by == w.Waker {
			of.time += w.Blocked
			return
		}
	}
	if len(open.wakes) < maxWakes {
		open.wakes = append(open.wakes, wake{at, w.Waker, w.Blocked})
	}
}

func (c *comparedCalls) leave(t *thread, f *frame, state State) {
	if t.slot == 0 {
		if state == Complete && !c.callers[f.fn] {
			c.others.Add(timeline.Period{Func: f.fn, From: f.startNs, To: f.startNs + f.measuredNs(t)})
		}
		return
	}
	open := c.list[t.slot-1]
	of := &open.cells[f.group]
	if !f.hidden {
		of.Calls++
	}
	if state.Returned() {
		of.Self += time.Duration(f.selfNs(t))
		if t.sched != nil {
			_, self := t.sched.waits()
			of.Waits.Add(self.within(time.Duration(f.selfNs(t))))
		}
	}
	if open.wanted {
		c.flows.leave(t, f, state)
	}
	if f.matched {
		c.end(t, f, open, state)
	}
}

// end ends an outermost call.
func (c *comparedCalls) end(t *thread, f *frame, open *openCall, state State) {
	c.compare(t, f, open, state)
	c.room += len(open.args)
	c.free = append(c.free, t.slot)
	t.slot = 0
}

// compare adds a call to its class.
func (c *comparedCalls) compare(t *thread, f *frame, open *openCall, state State) {
	d := time.Duration(f.durationNs(t))
	switch {
	case f.place.Unfair || state == Dropped || c.opts.outside(f.startNs) || c.opts.short(t, f, state):
		return
	case state != Complete || f.uncertain:
		c.incomplete++
		if state == Cut && d > c.limits.Than {
			c.cut++
		}
		return
	}
	of := c.limits.class(c.file, d)
	id := CallID{c.file, callKey{t.id, f.node, f.startNs}}
	hash := id.hash()
	if c.all.takes(hash) {
		c.all.add(SampledCall{ID: id, Duration: d, hash: hash})
	}
	if of == neitherClass {
		return
	}
	c.groups[of].Calls++
	c.groups[of].Time += d
	known := c.cover.CalleesKnown(f.fn, f.place, f.startNs)
	if known {
		c.sums.add(of, open, d)
	}
	if !c.samples[of].takes(hash) {
		return
	}
	s := SampledCall{
		ID: id, Duration: d, Elapsed: time.Duration(f.measuredNs(t)), CalleesKnown: known, CPU: open.cpu, First: open.first,
		Preempted: time.Duration(min(t.preemptedNs-open.preemptedNs, f.measuredNs(t))),
		hash:      hash, fn: f.fn, args: open.args,
	}
	if results := t.args(); len(results) <= maxSampledBytes {
		s.results = append([]byte(nil), results...)
	}
	if check := c.checks[f.fn]; check != nil {
		s.Failed = check.failed(t, open.bits)
	}
	if t.sched != nil {
		waits, _ := t.sched.waits()
		s.Runnable = waits.within(d).Runnable
	}
	if known {
		s.takeParts(open)
	}
	c.samples[of].add(s)
}
