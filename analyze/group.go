package analyze

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"utrace/format"
)

// Limits of a grouping. The calls of further values count for OtherValues.
const (
	maxValues      = 10_000
	maxValueBytes  = 64 << 20
	maxGroups      = 20_000 // pairs of a function and a value
	maxCachedBytes = 256    // of a value in the cache
	maxOuter       = 64     // open calls of a function that are searched for one of the same value
)

// OtherValues is the name of the values beyond the limits.
const OtherValues = "[other values]"

// Numbers of values in a valueTable.
const (
	noValue = iota
	otherValue
)

// valueTable numbers the values of all traces of an analysis.
type valueTable struct {
	by      string
	list    []Value
	index   map[string]uint32 // by text
	bytes   int
	groups  int // pairs of a function and a value, of all traces
	crowded bool
	found   bool            // a function has the argument or result
	names   map[string]bool // of all arguments and results
}

func newValueTable(by string) *valueTable {
	return &valueTable{
		by: by, list: []Value{noValue: {}, otherValue: {OtherValues, OtherValues}},
		index: map[string]uint32{}, names: map[string]bool{},
	}
}

func (v *valueTable) add(value Value) uint32 {
	n, ok := v.index[value.Text]
	switch {
	case ok:
		return n
	case len(v.list) >= maxValues || v.bytes > maxValueBytes:
		v.crowded = true
		return otherValue
	}
	n = uint32(len(v.list))
	v.list = append(v.list, value)
	v.index[value.Text] = n
	v.bytes += len(value.Text)
	return n
}

// warn warns of limits that were reached, and of a name that no argument or result has.
func (v *valueTable) warn(s *summary) {
	if v.crowded {
		s.addWarning("", v.warning("too many different values: the calls of further ones are shown as "+OtherValues))
	}
	if v.by == "" || v.found || isThreadKey(v.by) {
		return
	}
	var names []string
	for name := range v.names {
		names = append(names, name)
	}
	slices.Sort(names)
	has := "no arguments or results were recorded"
	if n := len(names); n > 0 {
		has = "those recorded are " + strings.Join(names[:min(n, maxWarned)], ", ")
		if n > maxWarned {
			has += fmt.Sprintf(" and %d more", n-maxWarned)
		}
	}
	s.addWarning("", v.warning("no function has such an argument or result: "+has))
}

func (v *valueTable) warning(text string) Warning {
	return Warning{Option: OptionBy, Value: Printable(v.by), Text: text}
}

// isThreadKey reports whether calls are grouped by their thread, not by their values.
func isThreadKey(by string) bool { return by == "tid" || by == "comm" || isProcessKey(by) }

// isProcessKey reports whether calls are grouped by their process.
func isProcessKey(by string) bool {
	return slices.Contains([]string{"pid", "cgroup", "unit", "container", "pod"}, by)
}

// group is a function, with a value where calls are grouped.
type group struct {
	fn    format.FuncID
	value uint32
}

// grouping numbers the groups of one trace. A call that has the argument belongs to its value;
// another call belongs to the value of the nearest call around it that has the argument. A result
// belongs to its own call only. A nil grouping has one group for each function, with the function's
// number.
//
// A value takes room in the valueTable once a selected call has it. Until then it is held, since
// calls that are not selected can have selected ones inside.
type grouping struct {
	values    *valueTable
	byThread  bool
	positions []position // by function
	funcs     []format.Func
	groups    []group
	index     map[group]uint32
	threads   map[format.ThreadID]uint32   // values of threads
	cache     map[string]map[string]uint32 // numbers of values by type and text in the file: reading a value is slow
	held      []heldValue                  // of open calls, by frame.value-firstHeld
	free      []uint32                     // free indexes of held
	bytes     int                          // in held

	spellings int // in cache
}

// heldValue is the argument of an open call, as in the file.
type heldValue struct {
	typ, raw string
	number   uint32 // in the valueTable; noValue if it has none yet
}

// firstHeld is above the numbers of all values.
const firstHeld = 1 << 31

// position is where the events of a function carry the value.
type position struct {
	index  int // among the arguments, or results; -1 for a call that has none
	result bool
}

// newGrouping returns nil if there is nothing to group by.
func newGrouping(values *valueTable) *grouping {
	if values.by == "" {
		return nil
	}
	return &grouping{
		values: values, byThread: isThreadKey(values.by),
		index: map[group]uint32{}, threads: map[format.ThreadID]uint32{}, cache: map[string]map[string]uint32{},
	}
}

func (g *grouping) define(funcs []format.Func) {
	if g == nil {
		return
	}
	g.funcs = funcs
	for i := len(g.positions); i < len(funcs); i++ {
		p := findValue(&funcs[i], g.values.by)
		g.positions = append(g.positions, p)
		g.values.found = g.values.found || p.index >= 0
		for _, list := range [][]format.Arg{funcs[i].Args, funcs[i].Results} {
			for _, a := range list {
				if len(g.values.names) < maxValues {
					g.values.names[Printable(a.Name)] = true
				}
			}
		}
	}
}

// findValue finds an argument or a result of a function by its name. If nothing else has that name,
// "ret" is the first result, and "arg2" the second recorded argument.
func findValue(f *format.Func, name string) position {
	named := func(a format.Arg) bool { return a.Name == name }
	if i := slices.IndexFunc(f.Args, named); i >= 0 {
		return position{index: i}
	}
	i := slices.IndexFunc(f.Results, named)
	if i < 0 && name == "ret" && len(f.Results) > 0 {
		i = 0
	}
	if n, ok := strings.CutPrefix(name, "arg"); ok && i < 0 {
		if n, err := strconv.Atoi(n); err == nil && n > 0 && n <= len(f.Args) {
			return position{index: n - 1}
		}
	}
	return position{index: i, result: true}
}

// enter notes the value of a call. The call must leave again.
func (g *grouping) enter(t *thread, f, parent *frame) {
	if g == nil || g.byThread {
		return
	}
	f.value = noValue
	switch p := g.positions[f.fn]; {
	case p.index >= 0 && !p.result:
		f.value = g.hold(t, g.funcs[f.fn].Args[p.index].Type, p.index)
	case p.index < 0 && parent != nil:
		f.value = parent.value
	}
}

// decide chooses the group of a selected call.
func (g *grouping) decide(t *thread, f *frame) {
	switch {
	case g == nil:
		f.group = uint32(f.fn)
		return
	case g.byThread:
		f.value = g.thread(t)
	case f.value >= firstHeld:
		held := &g.held[f.value-firstHeld]
		if held.number == noValue {
			held.number = g.read(held.typ, held.raw)
		}
		f.group = g.number(group{f.fn, held.number})
		return
	}
	f.group = g.number(group{f.fn, f.value})
}

// result chooses the group of a complete call anew if calls are grouped by a result.
func (g *grouping) result(t *thread, f *frame) {
	if g == nil || g.byThread {
		return
	}
	p := g.positions[f.fn]
	if p.index < 0 || !p.result {
		return
	}
	if raw, ok := element(t.args(), p.index); ok {
		f.value = g.read(g.funcs[f.fn].Results[p.index].Type, string(raw))
		f.group = g.number(group{f.fn, f.value})
	}
}

// outer returns the nearest call of the same function and value around a call, or none. If calls
// are grouped by a result, the value is not known yet: then it is the nearest of the same function.
func (g *grouping) outer(t *thread, f *frame) int32 {
	if g == nil || g.byThread || g.positions[f.fn].result && g.positions[f.fn].index >= 0 {
		return f.outer
	}
	at := f.outer
	for range maxOuter {
		if at == none || g.same(f.value, t.frames[at].value) {
			return at
		}
		at = t.frames[at].outer
	}
	return none
}

// same reports whether two open calls of a function have the same value.
func (g *grouping) same(a, b uint32) bool {
	a, b = min(a, b), max(a, b)
	if a == b || b < firstHeld {
		return a == b
	}
	held := &g.held[b-firstHeld]
	if a < firstHeld { // the value had a number already when the call began
		n, ok := g.cache[held.typ][held.raw]
		return ok && n == a
	}
	other := &g.held[a-firstHeld]
	return held.typ == other.typ && held.raw == other.raw
}

// leave forgets the value of a call.
func (g *grouping) leave(f *frame) {
	if g == nil || f.value < firstHeld || g.positions[f.fn].index < 0 { // it holds none, or an enclosing call's
		return
	}
	at := f.value - firstHeld
	g.bytes -= len(g.held[at].raw)
	g.held[at] = heldValue{}
	g.free = append(g.free, at)
}

func (g *grouping) number(key group) uint32 {
	n, ok := g.index[key]
	if ok {
		return n
	}
	if g.values.groups >= maxGroups && key.value != noValue && key.value != otherValue {
		g.values.crowded = true
		return g.number(group{key.fn, otherValue})
	}
	n = uint32(len(g.groups))
	g.groups = append(g.groups, key)
	g.index[key] = n
	g.values.groups++
	return n
}

// of returns the function and the value of a group.
func (g *grouping) of(number int) group {
	if g == nil {
		return group{fn: format.FuncID(number)}
	}
	return g.groups[number]
}

// count returns the number of groups. funcs is the number of functions.
func (g *grouping) count(funcs int) int {
	if g == nil {
		return funcs
	}
	return len(g.groups)
}

// thread returns the number of the value of a thread.
func (g *grouping) thread(t *thread) uint32 {
	n, ok := g.threads[t.id]
	if !ok {
		n = g.values.of(&t.info, t.process)
		g.threads[t.id] = n
	}
	return n
}

// of returns the number of the value of a thread of a process, noValue if it has none: for example
// if it is in no container.
func (v *valueTable) of(t *format.Thread, p *format.Process) uint32 {
	text := ""
	switch v.by {
	case "cgroup":
		text = p.Cgroup
	case "unit":
		text = p.Unit
	case "container":
		text = p.Container
	case "pod":
		text = p.Pod
	default:
		return v.add(threadValue(t, v.by))
	}
	if text == "" {
		return noValue
	}
	return v.add(Value{text, text})
}

func threadValue(t *format.Thread, by string) Value {
	text := FlowName(t)
	switch {
	case by == "comm":
		return Value{t.Comm, t.Comm}
	case by == "pid":
		text = strconv.Itoa(t.PID)
	case t.Goroutine != 0 || t.Track != 0:
		return Value{text, text}
	}
	return Value{text, json.Number(text)}
}

// hold returns the number of a value in the current row, or firstHeld plus its index in held.
func (g *grouping) hold(t *thread, typ string, index int) uint32 {
	raw, ok := element(t.args(), index)
	if !ok {
		return noValue
	}
	if n, ok := g.cache[typ][string(raw)]; ok {
		return n
	}
	if g.bytes+len(raw) > maxValueBytes {
		g.values.crowded = true
		return otherValue
	}
	g.bytes += len(raw)
	value := heldValue{typ: typ, raw: string(raw)}
	if n := len(g.free); n > 0 {
		at := g.free[n-1]
		g.free = g.free[:n-1]
		g.held[at] = value
		return firstHeld + at
	}
	g.held = append(g.held, value)
	return firstHeld + uint32(len(g.held)-1)
}

// read returns the number of a value in the file.
func (g *grouping) read(typ, raw string) uint32 {
	cache := g.cache[typ]
	if n, ok := cache[raw]; ok {
		return n
	}
	n := g.values.add(Value{formatValue(typ, []byte(raw)), plainValue([]byte(raw))})
	if len(raw) <= maxCachedBytes && g.spellings < 2*maxValues {
		g.spellings++
		if cache == nil {
			cache = map[string]uint32{}
			g.cache[typ] = cache
		}
		cache[raw] = n
	}
	return n
}
