package analyze

import (
	"encoding/json"

	"github.com/google/pprof/profile"
)

// moduleSpan is the size of the address space of a module in a profile. Modules of several
// processes may have the same addresses: with a span for each module, an address belongs to one
// function. The addresses of the first module are those in its file.
const moduleSpan = 1 << 40

// Profile makes a pprof profile of traces: calls/count, and wall/nanoseconds, the self time of the
// complete calls. If the scheduler was recorded, it also has cpu/nanoseconds and
// offcpu/nanoseconds: the parts of the self time on and off a processor, as far as they are known.
// Of functions that were probed in windows, the values are estimates for the whole recording.
//
// If the trace has samples, it also has samples/count, see addSamples.
//
// If the trace has stacks, the profile also has the functions that led to a traced one, and those
// between two traced ones. They have no time of their own. Samples are labelled with process and
// thread. Profile also returns the warnings about the traces.
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
	if tree.Trace.Samples > 0 {
		if err := b.addSamples(paths, &opts); err != nil {
			return nil, nil, err
		}
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
	locations map[Function]*profile.Location
	sched     bool   // with cpu and offcpu
	by        string // the nodes are grouped by this
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
		locations: map[Function]*profile.Location{},
	}
}

func (b *profileBuilder) setThread(l *Label) { b.thread, b.labels = l, map[string]sampleLabels{} }

// label returns the labels of the thread's samples with a value: a number if a profile can hold it,
// else a text.
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

// called makes the locations of the traced functions, ahead of their callers' locations: pprof
// takes the first file for the program.
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
	if l := b.locations[*f]; l != nil {
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
		l.Mapping, l.Address = b.mapping(f)
	}
	p.Function = append(p.Function, fn)
	p.Location = append(p.Location, l)
	b.locations[*f] = l
	return l
}

// mapping returns the segment around f and the address of f in the profile. The segment is marked
// as symbolized, so pprof leaves it as it is.
func (b *profileBuilder) mapping(f *Function) (*profile.Mapping, uint64) {
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
