package analyze

import (
	"cmp"
	"math"
	"slices"
	"time"

	"utrace/format"
)

// Limits of a callLog.
const (
	mostSlow      = 10      // slowest calls of a function
	leastSlow     = 3       // the same with many functions
	allSlow       = 5000    // slowest calls of all functions, about
	maxRegion     = 128     // calls directly or indirectly inside an open call, before all but the longest are dropped
	maxLogCalls   = 1 << 14 // calls inside all open calls of a thread, about
	maxHeldCalls  = 1 << 20 // the same of all threads of a view: beyond that, each open call keeps few
	fewCalls      = 5       // that many
	maxKeptInside = 1 << 20 // calls inside slowest calls, of a view
)

// callLog finds the slowest calls of each function, with what happened inside them, in one pass. It
// keeps, for each open call, the longest calls and waits inside it. When a call ends, its own pass
// on to the call around it. That loses none: the longest of a call are among the longest of its
// callees.
type callLog struct {
	opts    *Options
	matches []bool // by function
	file    int
	threads map[format.ThreadID]*threadLog
	thread  *thread    // the latest one
	log     *threadLog // of that thread
	slowest []slowList // by function
	kept    int        // calls inside those in slowest
	held    int        // calls inside open calls
	room    int        // bytes of values of open calls that it may still keep
	lengths []int64    // scratch of longest, as is the next
	equal   []loggedCall
}

// threadLog is what is open in a thread.
type threadLog struct {
	open   []openLogged
	inside []loggedCall // that have ended inside the open calls, in order of their ends
	calls  uint32       // so far
}

// openLogged is an open call.
type openLogged struct {
	number    uint32
	from      int   // in threadLog.inside
	minNs     int64 // shorter calls inside it need not be kept
	omitted   uint64
	omittedNs int64
	args      []byte
}

// loggedCall is a call, a hit or a wait inside an open call.
type loggedCall struct {
	startNs, endNs int64
	durationNs     int64 // of a call that returned
	wait           *Wait // it is a wait
	fn             format.FuncID
	number         uint32
	depth          int32 // calls around it
	state          State
	hit            bool
}

func (c *loggedCall) length() int64 { return c.endNs - c.startNs }

// slowList is the slowest calls of a function.
type slowList struct {
	calls []slowLogged
	minNs int64 // faster calls need not be added
}

// slowLogged is one of the slowest calls.
type slowLogged struct {
	rankedCall
	depth         int32
	endNs         int64
	args, results []byte
	waits         Waits
	longest       Wait
	inside        []loggedCall
	omitted       uint64
	omittedNs     int64
}

func newCallLog(opts *Options, file int) *callLog {
	return &callLog{opts: opts, file: file, threads: map[format.ThreadID]*threadLog{}, room: maxOpenBytes}
}

func (l *callLog) define(funcs []format.Func) {
	for i := len(l.matches); i < len(funcs); i++ {
		l.matches = append(l.matches, l.opts.Function.function(&funcs[i]))
	}
	l.slowest = append(l.slowest, make([]slowList, len(funcs)-len(l.slowest))...)
}

// perFunction is how many slowest calls each of that many functions has.
func perFunction(functions int) int {
	return min(max(allSlow/max(1, functions), leastSlow), mostSlow)
}

func (l *callLog) of(t *thread) *threadLog {
	if t == l.thread {
		return l.log
	}
	th := l.threads[t.id]
	if th == nil {
		th = &threadLog{}
		l.threads[t.id] = th
	}
	l.thread, l.log = t, th
	return th
}

// args are the arguments of the innermost open call, as in the file; none if they are too long.
func (l *callLog) args(t *thread) []byte {
	th := l.of(t)
	if args := th.open[len(th.open)-1].args; string(args) != notKept {
		return args
	}
	return nil
}

func (l *callLog) enter(t *thread, _, _ *frame) {
	th := l.of(t)
	th.calls++
	n := len(th.open)
	if n == cap(th.open) {
		th.open = slices.Grow(th.open, 1)
	}
	th.open = th.open[:n+1]
	o := &th.open[n]
	*o = openLogged{number: th.calls, from: len(th.inside)}
	if args := t.args(); len(args) > 0 {
		if o.args = keep(args); len(o.args) > l.room {
			o.args = []byte(notKept)
		}
		l.room -= len(o.args)
	}
}

func (l *callLog) leave(t *thread, f *frame, state State) {
	th := l.of(t)
	last := len(th.open) - 1
	o := &th.open[last]
	c := loggedCall{startNs: f.startNs, endNs: t.nowNs, fn: f.fn, number: o.number, depth: int32(last), state: state}
	if state.Returned() {
		c.durationNs = f.durationNs(t)
	}
	switch {
	case state != Complete || f.uncertain || !l.matches[f.fn] || l.opts.outside(f.startNs) || l.opts.short(t, f, state):
	case c.durationNs >= l.slowest[f.fn].minNs:
		l.rank(t, th, &c)
	}
	l.room += len(o.args)
	th.open = th.open[:last]
	before := len(th.inside)
	if last == 0 {
		th.inside = th.inside[:0]
		l.held -= before
		return
	}
	around := &th.open[last-1]
	around.omitted += o.omitted
	around.omittedNs = max(around.omittedNs, o.omittedNs)
	if around.minNs > 0 {
		th.inside = around.drop(th.inside, o.from)
	}
	l.add(th, around, c)
	l.held += len(th.inside) - before
}

// drop drops the calls from an index on that are too short.
func (o *openLogged) drop(list []loggedCall, from int) []loggedCall {
	to := from
	for i := from; i < len(list); i++ {
		if list[i].length() < o.minNs {
			o.omit(&list[i])
			continue
		}
		if to != i {
			list[to] = list[i]
		}
		to++
	}
	return list[:to]
}

func (o *openLogged) omit(c *loggedCall) {
	if c.wait == nil {
		o.omitted++
		o.omittedNs = max(o.omittedNs, c.durationNs)
	}
}

// add adds a call inside the innermost open call.
func (l *callLog) add(th *threadLog, around *openLogged, c loggedCall) {
	if c.length() < around.minNs {
		around.omit(&c)
		return
	}
	th.inside = append(th.inside, c)
	n, limit := len(th.inside), maxLogCalls
	room := maxBelow
	if l.held > maxHeldCalls {
		limit, room = 0, fewCalls
	}
	if n-around.from < maxRegion && n < limit {
		return
	}
	// With many open calls, each keeps fewer.
	room = max(1, min(room, maxLogCalls/2/len(th.open)))
	if n-around.from > 2*room {
		th.inside, around.minNs = l.longest(th.inside, around.from, room, around.omit)
	}
}

// longest keeps the longest calls of a list from an index on, as many as there is room for. It
// returns the length of the shortest that is left. Of equal length, callers are longer than callees.
func (l *callLog) longest(list []loggedCall, from, room int, omit func(*loggedCall)) (left []loggedCall, minNs int64) {
	if len(list)-from <= room {
		return list, 0
	}
	l.lengths = l.lengths[:0]
	for i := from; i < len(list); i++ {
		l.lengths = append(l.lengths, list[i].length())
	}
	minNs = kthLargest(l.lengths, room)
	equal := l.equal[:0]
	to := from
	for i := from; i < len(list); i++ {
		switch c := &list[i]; {
		case c.length() > minNs:
			list[to] = *c
			to++
		case c.length() == minNs:
			equal = append(equal, *c)
		default:
			omit(c)
		}
	}
	slices.SortFunc(equal, func(a, b loggedCall) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(a.number, b.number))
	})
	for i := range equal {
		if to-from < room {
			list[to] = equal[i]
			to++
		} else {
			omit(&equal[i])
		}
	}
	clear(list[to:])
	clear(equal)
	l.equal = equal
	return list[:to], minNs
}

// kthLargest returns the k-th largest of values, from 1, and changes their order (Hoare's
// quickselect).
func kthLargest(values []int64, k int) int64 {
	low, high := 0, len(values)-1
	for low < high {
		pivot := values[low+(high-low)/2]
		i, j := low, high
		for i <= j {
			for values[i] > pivot {
				i++
			}
			for values[j] < pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case k-1 <= j:
			high = j
		case k-1 >= i:
			low = i
		default:
			return values[k-1]
		}
	}
	return values[k-1]
}

// rank adds a complete call to the slowest of its function.
func (l *callLog) rank(t *thread, th *threadLog, c *loggedCall) {
	o := &th.open[c.depth]
	s := slowLogged{
		rankedCall: rankedCall{callKey{t.id, c.number, c.startNs}, c.durationNs, l.file, c.fn},
		depth:      c.depth, endNs: c.endNs, args: slices.Clone(o.args), results: keep(t.args()),
		omitted: o.omitted, omittedNs: o.omittedNs,
	}
	if t.sched != nil {
		waits, _ := t.sched.waits()
		s.waits, s.longest = waits.within(time.Duration(c.durationNs)), t.sched.longest()
	}
	rest := openLogged{}
	if l.kept < maxKeptInside {
		s.inside, _ = l.longest(slices.Clone(th.inside[o.from:]), 0, maxBelow, rest.omit)
	} else {
		for i := range th.inside[o.from:] {
			rest.omit(&th.inside[o.from+i])
		}
	}
	s.omitted += rest.omitted
	s.omittedNs = max(s.omittedNs, rest.omittedNs)
	l.kept += len(s.inside)

	list := &l.slowest[c.fn]
	if list.calls = append(list.calls, s); len(list.calls) >= 2*perFunction(len(l.slowest)) {
		l.kept -= list.cut(perFunction(len(l.slowest)))
	}
}

// cut keeps the slowest, and returns the number of calls inside the others.
func (s *slowList) cut(room int) (inside int) {
	slices.SortFunc(s.calls, func(a, b slowLogged) int { return compareSlowness(a.rankedCall, b.rankedCall) })
	if len(s.calls) <= room {
		return 0
	}
	for i := range s.calls[room:] {
		inside += len(s.calls[room+i].inside)
	}
	clear(s.calls[room:])
	s.calls = s.calls[:room]
	s.minNs = s.calls[room-1].durationNs
	return inside
}

func (l *callLog) hit(t *thread, f *frame) {
	th := l.of(t)
	th.calls++
	l.inner(th, loggedCall{startNs: t.nowNs, endNs: t.nowNs, fn: f.fn, number: th.calls, hit: true})
}

// waited notes a wait of a thread that runs again.
func (l *callLog) waited(t *thread, w *Wait) {
	all := int64(w.sum() + w.Probes)
	l.inner(l.of(t), loggedCall{startNs: t.nowNs - all, endNs: t.nowNs, wait: w, number: math.MaxUint32})
}

// inner notes a hit or a wait, if a call is open.
func (l *callLog) inner(th *threadLog, c loggedCall) {
	if n := len(th.open); n > 0 {
		before := len(th.inside)
		c.depth = int32(n)
		l.add(th, &th.open[n-1], c)
		l.held += len(th.inside) - before
	}
}

// merge adds the slowest calls that another view has found in the same trace.
func (l *callLog) merge(other *callLog) {
	l.slowest = append(l.slowest, make([]slowList, max(0, len(other.slowest)-len(l.slowest)))...)
	for fn := range other.slowest {
		l.slowest[fn].calls = append(l.slowest[fn].calls, other.slowest[fn].calls...)
		l.slowest[fn].cut(perFunction(len(l.slowest)))
	}
}

// slowCalls describes the slowest calls of a function. The trace was read to its end.
func (l *callLog) slowCalls(src *source, fn format.FuncID) ([]SlowCall, error) {
	var list []SlowCall
	for i := range l.slowest[fn].calls {
		s := &l.slowest[fn].calls[i]
		call, err := src.slowCall(&s.rankedCall, s.flow())
		if err != nil {
			return nil, err
		}
		list = append(list, call)
	}
	return list, nil
}

// flow returns the call with the calls inside it.
func (s *slowLogged) flow() *callFlow {
	flow := &callFlow{omitted: s.omitted, omittedNs: s.omittedNs, waits: s.waits, longest: s.longest}
	flow.calls = append(flow.calls, flowCall{
		startNs: s.startNs, endNs: s.endNs, durationNs: s.durationNs, number: s.number, fn: s.fn, args: s.args, results: s.results,
	})
	for i := range s.inside {
		c := &s.inside[i]
		flow.calls = append(flow.calls, flowCall{
			startNs: c.startNs, endNs: c.endNs, durationNs: c.durationNs, depth: int(c.depth - s.depth), number: c.number, fn: c.fn,
			state: c.state, hit: c.hit, wait: c.wait,
		})
	}
	return flow
}
