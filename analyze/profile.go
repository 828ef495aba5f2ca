package analyze

import (
	"encoding/json"

	"github.com/google/pprof/profile"
)

// moduleSpan is the address space that a module gets in a profile. Modules of
// several processes may lie at the same addresses; with a span each, addresses
// name one function. Those of the first module are as its file has them.
const moduleSpan = 1 << 40

// Profile makes a pprof profile of traces: calls/count, and wall/nanoseconds,
// the self time of the complete calls. Where the scheduler was recorded, also cpu/nanoseconds and offcpu/nanoseconds, the
// parts of it that were spent on and off a processor, as far as they are known.
// Below the traced functions are those that have led to them, where the trace has stacks, and between them those that were not
// traced; they have no time of their own. Samples are labelled with process and
// thread. It also returns the warnings about the traces.
func Profile(paths []string, opts Options) (*profile.Profile, []Warning, error) {
	tree, err := buildTree(paths, &opts, true)
	if err != nil {
		return nil, nil, err
	}
	b := newProfileBuilder(&tree.Trace, tree.By)
	for i := range tree.Threads {
		b.called(tree.Threads[i].Roots)
	}
	for i := range tree.Threads {
		t := &tree.Threads[i]
		b.setThread(&t.Label)
		b.samples(t.Roots)
	}
	if err := b.profile.CheckValid(); err != nil {
		return nil, nil, err
	}
	return b.profile, tree.Warnings, nil
}

type profileBuilder struct {
	profile   *profile.Profile
	bases     map[string]uint64 // of the modules, by build ID and path
	mappings  map[mappingKey]*profile.Mapping
	locations map[*Function]*profile.Location
	sched     bool   // with cpu and offcpu
	by        string // what the nodes are grouped by
	thread    *Label
	labels    map[string]sampleLabels // of the thread, by the text of the value
	stack     []*profile.Location     // root first
}

type mappingKey struct {
	module  string
	segment uint64 // address
}

type sampleLabels struct {
	text map[string][]string
	nums map[string][]int64
}

func newProfileBuilder(t *Trace, by string) *profileBuilder {
	wall := &profile.ValueType{Type: "wall", Unit: "nanoseconds"}
	types := []*profile.ValueType{{Type: "calls", Unit: "count"}, wall}
	if t.Sched {
		types = append(types, &profile.ValueType{Type: "cpu", Unit: wall.Unit}, &profile.ValueType{Type: "offcpu", Unit: wall.Unit})
	}
	return &profileBuilder{
		sched: t.Sched,
		profile: &profile.Profile{
			SampleType:        types,
			DefaultSampleType: wall.Type,
			PeriodType:        wall,
			Period:            1,
			TimeNanos:         t.Start.UnixNano(),
			DurationNanos:     int64(t.Duration),
		},
		by:        by,
		bases:     map[string]uint64{},
		mappings:  map[mappingKey]*profile.Mapping{},
		locations: map[*Function]*profile.Location{},
	}
}

func (b *profileBuilder) setThread(l *Label) { b.thread, b.labels = l, map[string]sampleLabels{} }

// label returns the labels of samples of the thread whose calls have a value in common: a number where it is one that a
// profile can hold, else a text.
func (b *profileBuilder) label(v *Value) sampleLabels {
	l, ok := b.labels[v.Text]
	if ok {
		return l
	}
	l = sampleLabels{
		text: map[string][]string{"process": {b.thread.Process}, "thread": {b.thread.Thread}},
		nums: map[string][]int64{"pid": {int64(b.thread.PID)}, "tid": {int64(b.thread.TID)}},
	}
	switch plain := v.Plain.(type) {
	case json.Number:
		if n, err := plain.Int64(); err == nil {
			l.nums[b.by] = []int64{n}
		} else {
			l.text[b.by] = []string{v.Text}
		}
	case string:
		l.text[b.by] = []string{plain}
	default:
		if v.Text != "" {
			l.text[b.by] = []string{v.Text}
		}
	}
	b.labels[v.Text] = l
	return l
}

// called makes the locations of the functions that were traced, ahead of those that have led to them: pprof takes the first
// file for the program.
func (b *profileBuilder) called(nodes []*Node) {
	for _, n := range nodes {
		if n.Calls > 0 {
			b.location(n.Function)
		}
		b.called(n.Children)
	}
}

// samples adds a sample for each node below the stack.
func (b *profileBuilder) samples(nodes []*Node) {
	for _, n := range nodes {
		b.stack = append(b.stack, b.location(n.Function))
		if n.Calls > 0 {
			label := b.label(&n.Value)
			s := &profile.Sample{Value: []int64{int64(n.Calls), int64(n.Self)}, Label: label.text, NumLabel: label.nums}
			if b.sched {
				s.Value = append(s.Value, int64(n.SelfWaits.CPU(n.Self)), int64(n.SelfWaits.OffCPU()))
			}
			for i := len(b.stack) - 1; i >= 0; i-- { // pprof has the leaf first
				s.Location = append(s.Location, b.stack[i])
			}
			b.profile.Sample = append(b.profile.Sample, s)
		}
		b.samples(n.Children)
		b.stack = b.stack[:len(b.stack)-1]
	}
}

func (b *profileBuilder) location(f *Function) *profile.Location {
	if l := b.locations[f]; l != nil {
		return l
	}
	p := b.profile
	fn := &profile.Function{
		ID: uint64(len(p.Function) + 1), Name: f.Name, SystemName: f.Symbol, Filename: f.File, StartLine: int64(f.Line),
	}
	if fn.SystemName == "" {
		fn.SystemName = f.Name
	}
	l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: fn, Line: int64(f.Line)}}}
	if f.Module != "" {
		l.Mapping, l.Address = b.place(f)
	}
	p.Function = append(p.Function, fn)
	p.Location = append(p.Location, l)
	b.locations[f] = l
	return l
}

// place returns the segment that f is in, as one that nobody need symbolize, and
// the address of f.
func (b *profileBuilder) place(f *Function) (*profile.Mapping, uint64) {
	module := f.BuildID + " " + f.Module
	base, ok := b.bases[module]
	if !ok {
		base = uint64(len(b.bases)) * moduleSpan
		b.bases[module] = base
	}
	key := mappingKey{module, f.Segment.Addr}
	m := b.mappings[key]
	if m == nil {
		m = &profile.Mapping{
			ID: uint64(len(b.profile.Mapping) + 1), File: f.Module, BuildID: f.BuildID,
			Start: base + f.Segment.Addr, Limit: base + f.Segment.Addr + f.Segment.Size, Offset: f.Segment.FileOff,
			HasFunctions: true, HasFilenames: true, HasLineNumbers: true,
		}
		if f.Segment.Size == 0 {
			m.Limit = base + moduleSpan
		}
		b.profile.Mapping = append(b.profile.Mapping, m)
		b.mappings[key] = m
	}
	return m, base + f.Addr
}
