package analyze

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// modelCall is a call as the reference model sees it.
type modelCall struct {
	fn         uint32
	sp         uint64 // 0 unknown
	start, end int64
	state      State
	parent     *modelCall
	children   []*modelCall
	hits       int64 // cost of hits directly inside that are no calls
	tooDeep    bool  // the kernel does not see its return
}

// model applies the rules literally, keeps every call, and counts afterwards. It is slow, and has
// nothing in common with pairer and latency.
type model struct {
	stack   []*modelCall
	calls   []*modelCall
	hits    [modelFuncs]uint64
	orphans uint64
	costs   [modelFuncs]format.SiteCost
	outside int64 // cost of hits outside calls

	displaced int64 // by the recorder

	// The latest return by a return probe since an entry: its depth, time and cost.
	lastSP           uint64
	lastAt, lastCost int64
}

const (
	modelFuncs    = 6
	modelNoReturn = 5 // the function whose returns are not probed

	modelDisplacedNs = 3
)

// depth is the stack pointer of a frame: its own, or the one of the nearest frame below that has
// one.
func (m *model) depth(i int) uint64 {
	for ; i >= 0; i-- {
		if m.stack[i].sp != 0 {
			return m.stack[i].sp
		}
	}
	return 1<<64 - 1
}

func (m *model) pop(now int64, state State) {
	c := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	c.end, c.state = now, state
}

func (m *model) entry(now int64, fn uint32, sp uint64, tail bool) {
	for sp != 0 && len(m.stack) > 0 {
		top := m.depth(len(m.stack) - 1)
		if top > sp || top == sp && tail {
			break
		}
		m.pop(now, Unwound)
	}
	m.lastSP = 0
	c := &modelCall{fn: fn, sp: sp, start: now}
	probes := 0
	for _, open := range append(m.stack, c) {
		if m.costs[open.fn].Return == "trampoline" {
			probes++
		}
	}
	c.tooDeep = probes > 64 && m.costs[fn].Return == "trampoline"
	if n := len(m.stack); n > 0 {
		c.parent = m.stack[n-1]
		c.parent.children = append(c.parent.children, c)
	}
	m.stack = append(m.stack, c)
	m.calls = append(m.calls, c)
}

func (m *model) ret(now int64, fn uint32, sp uint64) {
	if cost := m.costs[fn]; cost.Return == "trampoline" {
		if sp != 0 && sp == m.lastSP && now-m.lastAt < m.lastCost {
			m.hit(now - m.lastAt - m.lastCost) // one trap for both
		}
		m.lastSP, m.lastAt, m.lastCost = sp, now, cost.CallNs-cost.EntryNs
	}
	for sp != 0 && len(m.stack) > 0 && m.depth(len(m.stack)-1) < sp {
		m.pop(now, Unwound)
	}
	found := -1
	for i := len(m.stack) - 1; i >= 0 && fn != modelNoReturn; i-- {
		if sp != 0 && m.depth(i) != sp {
			break
		}
		if m.stack[i].fn == fn {
			found = i
			if sp == 0 || !m.stack[i].tooDeep {
				break
			}
		}
	}
	if found >= 0 {
		for len(m.stack)-1 > found {
			m.pop(now, Unwound)
		}
		m.pop(now, Complete)
		return
	}
	m.orphans++
	if fn != modelNoReturn {
		m.hit(m.costs[fn].CallNs - m.costs[fn].EntryNs)
	}
}

// hit is a hit with a cost, which begins and ends no call.
func (m *model) hit(cost int64) {
	if n := len(m.stack); n > 0 {
		m.stack[n-1].hits += cost
	} else {
		m.outside += cost
	}
}

// within is the cost of all hits inside a call, without its own.
func (m *model) within(c *modelCall) int64 {
	sum := c.hits
	for _, child := range c.children {
		sum += m.spent(child)
	}
	return sum
}

// spent is the same with its own cost.
func (m *model) spent(c *modelCall) int64 {
	if c.state == Complete {
		return m.within(c) + m.costs[c.fn].CallNs
	}
	return m.within(c) + m.costs[c.fn].EntryNs
}

// callees is the time of a call's direct callees. A callee that is not complete counts with its own
// callees.
func (m *model) callees(c *modelCall) int64 {
	sum := int64(0)
	for _, child := range c.children {
		if child.state == Complete {
			sum += m.duration(child)
		} else {
			sum += m.callees(child)
		}
	}
	return sum
}

// duration is a complete call's duration without the cost of probes, and not less than its callees.
func (m *model) duration(c *modelCall) int64 {
	return max(c.end-c.start-m.costs[c.fn].InsideNs-m.within(c), m.callees(c))
}

// inCalls sums up the durations of the outermost complete calls, measured and corrected.
func (m *model) inCalls() (measured, corrected int64) {
	for _, c := range m.calls {
		outermost := c.state == Complete
		for p := c.parent; p != nil; p = p.parent {
			outermost = outermost && p.state != Complete
		}
		if outermost {
			measured += c.end - c.start
			corrected += m.duration(c)
		}
	}
	return measured, corrected
}

// all is the cost of all hits.
func (m *model) all() int64 {
	sum := m.outside
	for _, c := range m.calls {
		if c.parent == nil {
			sum += m.spent(c)
		}
	}
	return sum
}

func (c *modelCall) outermost() bool {
	for p := c.parent; p != nil; p = p.parent {
		if p.fn == c.fn && p.state == Complete {
			return false
		}
	}
	return true
}

func (m *model) stats() []Stats {
	stats := make([]Stats, modelFuncs)
	for fn, n := range m.hits {
		stats[fn].Calls, stats[fn].Recorded = n, n
	}
	for _, c := range m.calls {
		s := &stats[c.fn]
		s.Calls++
		s.Recorded++
		if c.state != Complete {
			s.Incomplete++
			continue
		}
		d := m.duration(c)
		s.Subtracted += time.Duration(c.end - c.start - d)
		s.Durations.Add(time.Duration(d))
		if c.outermost() {
			s.Total += time.Duration(d)
		}
		s.Self += time.Duration(d - m.callees(c))
	}
	return stats
}

// modelSites are classes of sites. Compared with the time between events, their costs are large for
// some functions and small for others.
func modelSites() (sites [modelFuncs]format.SiteCost) {
	for fn := range sites {
		n := int64(fn)
		by := "stepped"
		if fn%2 == 0 {
			by = "trampoline"
		}
		sites[fn] = format.SiteCost{Entry: fmt.Sprint(fn), Return: by, EntryNs: 2 * n, InsideNs: n * n / 2, CallNs: n*n/2 + 3*n}
	}
	sites[modelNoReturn] = format.SiteCost{Entry: fmt.Sprint(modelNoReturn), EntryNs: 4}
	return sites
}

// FuzzPairing compares the pairer with the model on sequences of events, two bytes each. In both,
// the self times add up to the outermost calls less the subtracted cost.
func FuzzPairing(f *testing.F) {
	f.Add([]byte{0x00, 0x11, 0x01, 0x12, 0x20, 0x12, 0x20, 0x11})
	f.Add([]byte{0x00, 0x01, 0x03, 0x02, 0x01, 0x83, 0x10, 0x04, 0x21, 0x90, 0x05, 0x06, 0x07})
	f.Add([]byte(strings.Repeat("\x0e\x09\x10\x11", 50) + strings.Repeat("\x06\x09\x08\x09", 40)))
	f.Add([]byte("any text makes some sequence of calls, and so does another one: {}[]()!?<>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		funcs := make([]format.Func, modelFuncs)
		funcs[modelNoReturn].NoReturn = true
		m := model{costs: modelSites()}
		for fn := range funcs {
			funcs[fn].EntryClass, funcs[fn].ReturnClass = m.costs[fn].Entry, m.costs[fn].Return
		}
		l := &latency{opts: &Options{}}
		p := newPairer(l)
		p.define(funcs)
		p.costs.calibrate([]format.Calibration{{Sites: m.costs[:], DisplacedNs: modelDisplacedNs}})
		th := &thread{process: &format.Process{}}
		var b format.Batch
		now, displaced := int64(0), int64(0)
		for i := 0; i+1 < len(data); i += 2 {
			fn := uint32(data[i]) % modelFuncs
			depth := uint32(data[i+1]) % 8
			delta := uint32(data[i+1]) / 8
			kind := []format.Kind{format.Entry, format.Return, format.TailEntry, format.Hit, format.Return, format.Entry, format.Pause, format.Displaced}[data[i]/modelFuncs%8]
			now += int64(delta)
			sp, value := uint64(0), uint64(depth)
			if depth != 0 {
				sp = -uint64(depth)
			}
			if fn == 0 {
				value = math.MaxUint64 - value
			}
			switch kind {
			case format.Entry, format.TailEntry:
				m.entry(now, fn, sp, kind == format.TailEntry)
			case format.Return:
				m.ret(now, fn, sp)
			case format.Hit:
				m.hits[fn]++
				m.hit(m.costs[fn].EntryNs)
			case format.Displaced:
				took := now - displaced
				if value < math.MaxInt64 {
					took = min(took, int64(value)+modelDisplacedNs)
				}
				displaced = now
				m.displaced += took
				m.hit(took)
			}
			b.DeltaNs, b.Kind = append(b.DeltaNs, delta), append(b.Kind, uint8(kind))
			b.Func, b.StackBytes, b.Value = append(b.Func, fn), append(b.StackBytes, depth), append(b.Value, value)
		}
		for len(m.stack) > 0 {
			m.pop(now, Open)
		}
		half := len(b.Kind) / 2
		p.process(th, &b, 0, half)
		p.process(th, &b, half, len(b.Kind))
		p.finish(th)
		for fn, want := range m.stats() {
			s := l.of(&thread{process: &format.Process{}}, uint32(fn))
			s.settle()
			got := s.Stats
			if !reflect.DeepEqual(got, want) {
				t.Errorf("function %d: got %s, want %s", fn, figures(&got), figures(&want))
			}
		}
		measured, corrected := m.inCalls()
		self := time.Duration(0)
		for fn := range funcs {
			self += l.of(&thread{process: &format.Process{}}, uint32(fn)).Self
		}
		if th.preemptedNs != m.displaced {
			t.Errorf("displaced for %d ns, want %d", th.preemptedNs, m.displaced)
		}
		if p.insideNs != measured || p.correctedNs != corrected || int64(self) != corrected || th.hitNs != m.all() {
			t.Errorf("outermost calls of %d ns, corrected %d, self times %d, all hits %d; want %d, %d, %d, %d",
				p.insideNs, p.correctedNs, self, th.hitNs, measured, corrected, corrected, m.all())
		}
		if p.orphans != m.orphans {
			t.Errorf("%d orphans, want %d", p.orphans, m.orphans)
		}
	})
}

func figures(s *Stats) string {
	return fmt.Sprintf("calls %d incomplete %d total %d self %d complete %d sum %d", s.Calls, s.Incomplete, s.Total, s.Self, s.Durations.Count(), s.Durations.Sum())
}

// Recursion deeper than the limit must be counted in full, without invented durations for frames
// that are not kept.
func TestTooDeep(t *testing.T) {
	for _, known := range []bool{true, false} {
		l := &latency{opts: &Options{}}
		p := newPairer(l)
		p.room = 1000
		p.define(make([]format.Func, 1))
		th := &thread{process: &format.Process{}}
		const n = 5000
		var b format.Batch
		for i := range 2 * n {
			kind, depth := format.Entry, i+1
			if i >= n {
				kind, depth = format.Return, 2*n-i
			}
			if !known {
				depth = 0
			}
			b.DeltaNs, b.Kind = append(b.DeltaNs, 1), append(b.Kind, uint8(kind))
			b.Func, b.StackBytes = append(b.Func, 0), append(b.StackBytes, uint32(depth))
		}
		p.process(th, &b, 0, 2*n)
		p.finish(th)
		s := l.of(&thread{process: &format.Process{}}, 0)
		kept := s.Durations.Count()
		if s.Calls != n || s.Calls-s.Incomplete != kept || p.skipped != n-kept || kept == 0 || kept > 1000 {
			t.Errorf("known %v: calls %d, incomplete %d, kept %d, skipped %d", known, s.Calls, s.Incomplete, kept, p.skipped)
		}
		if s.Durations.Max() != 2*n-1 || s.Durations.Min() != time.Duration(2*(n-int(kept))+1) {
			t.Errorf("known %v: from %d to %d", known, s.Durations.Min(), s.Durations.Max())
		}
	}
}

// The kernel handles 64 nested return probes. In a chain of tail calls, all at one depth, their
// returns are those of the 64 outermost calls.
func TestTailCallsTooDeep(t *testing.T) {
	const chain = 100
	for _, c := range []struct {
		class             string
		returns           int
		complete          uint64
		shortest, longest time.Duration
		warning           string
	}{
		{"trampoline", 64, 64, 36, 99, "36 incomplete calls were more than 64 traced calls deep"},
		{"stepped", 100, 100, 0, 99, ""}, // probes at instructions have no such limit
		{"stepped", 90, 90, 0, 89, ""},
	} {
		var text strings.Builder
		fmt.Fprintf(&text, `module {"path": "/bin/a"}
func {"name": "f", "module": 0, "addr": 1, "entry_class": "stepped", "return_class": %q}
thread {"pid": 7, "tid": 7}
1 0 entry 0 sp=0x1000
`, c.class)
		for i := 2; i <= chain; i++ {
			fmt.Fprintf(&text, "%d 0 tail-entry 0 sp=0x1000\n", i)
		}
		text.WriteString(strings.Repeat("100 0 return 0 sp=0x1000\n", c.returns))
		r, err := Report([]string{fromText(t, text.String()+"end {}")}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		row := &r.Rows[0]
		warnings := fmt.Sprint(r.Warnings)
		if row.Calls != chain || row.Durations.Count() != c.complete || row.Durations.Min() != c.shortest || row.Durations.Max() != c.longest {
			t.Errorf("%s: %d calls, %d complete of %v to %v; want %d of %v to %v", c.class, row.Calls, row.Durations.Count(),
				row.Durations.Min(), row.Durations.Max(), c.complete, c.shortest, c.longest)
		}
		if !strings.Contains(warnings, c.warning) || c.warning == "" && strings.Contains(warnings, "deep") {
			t.Errorf("%s: warnings %s, want %q", c.class, warnings, c.warning)
		}
	}
}

// A span ends an earlier one of its probe below a limited number of frames without a stack pointer.
// Otherwise each span would search all frames.
func TestSharedDepth(t *testing.T) {
	for between, want := range map[int]uint64{maxShared - 1: 1, maxShared: 0} {
		r, err := Report([]string{fromText(t, `module {"path": "/bin/a"}
func {"name": "span", "module": 0, "addr": 1, "static": "p:begin"}
func {"name": "script", "module": 0, "static": "p:call"}
thread {"pid": 7, "tid": 7}
1 0 entry 0 sp=0x1000
`+strings.Repeat("1 0 entry 1\n", between)+`1 0 entry 0 sp=0x1000
1 0 return 0 sp=0x1000
1 0 return 0 sp=0x1000
end {}`)}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Rows {
			if row.Name == "span" && (row.Calls != 2 || row.Incomplete != want) {
				t.Errorf("%d frames between two spans: %d of %d are incomplete, want %d", between, row.Incomplete, row.Calls, want)
			}
		}
	}
}

// TestExecMarks: an exec is visited once, also without open calls; not if calls of functions are
// selected and none of them runs, and not outside the selected time.
func TestExecMarks(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/sh"}
func {"name": "outer", "module": 0, "addr": 1}
func {"name": "inner", "module": 0, "addr": 2}
process {"pid": 100, "comm": "sh"}
thread {"pid": 100, "tid": 100, "comm": "sh"}
10 0 entry 0 sp=0x1000
20 0 entry 1 sp=0x900
30 0 return 1 sp=0x900
40 0 exit 0 value=1 args=["a\u001bb"]
end {}`)
	pattern := func(text string) *Pattern {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		opts Options
		want []string
	}{
		"all":      {Options{}, []string{`1 a\x1bb`}},
		"outer":    {Options{Function: pattern("outer")}, []string{`1 a\x1bb`}},
		"inner":    {Options{Function: pattern("inner")}, nil},
		"before":   {Options{To: 40}, []string{`1 a\x1bb`}},
		"later":    {Options{From: 35}, []string{`0 a\x1bb`}},
		"no calls": {Options{From: 41}, nil},
	} {
		var got []string
		if _, err := Flow(path, c.opts, false, func(s *Step) error {
			if s.Kind == Exec {
				got = append(got, fmt.Sprintf("%d %s", s.Depth, s.Program))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
