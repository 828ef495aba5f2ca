package analyze

import (
	"github.com/google/pprof/profile"
)

// moduleSpan is the address space that a module gets in a profile. Modules of
// several processes may lie at the same addresses; with a span each, addresses
// name one function. Those of the first module are as its file has them.
const moduleSpan = 1 << 40

// Profile makes a pprof profile of traces: calls/count, and wall/nanoseconds,
// the self time of the complete calls. Below the traced functions are those that have led to them, where the trace has
// stacks, and between them those that were not traced; they have no time of their own. Samples are labelled with process and
// thread. It also returns the warnings about the traces.
func Profile(paths []string, opts Options) (*profile.Profile, []string, error) {
	tree, err := buildTree(paths, &opts, true)
	if err != nil {
		return nil, nil, err
	}
	b := newProfileBuilder(&tree.Trace)
	for i := range tree.Threads {
		b.called(tree.Threads[i].Roots)
	}
	for i := range tree.Threads {
		t := &tree.Threads[i]
		b.label = sampleLabels{
			text: map[string][]string{"process": {t.Label.Process}, "thread": {t.Label.Thread}},
			nums: map[string][]int64{"pid": {int64(t.Label.PID)}, "tid": {int64(t.Label.TID)}},
		}
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
	label     sampleLabels
	stack     []*profile.Location // root first
}

type mappingKey struct {
	module  string
	segment uint64 // address
}

type sampleLabels struct {
	text map[string][]string
	nums map[string][]int64
}

func newProfileBuilder(t *Trace) *profileBuilder {
	wall := &profile.ValueType{Type: "wall", Unit: "nanoseconds"}
	return &profileBuilder{
		profile: &profile.Profile{
			SampleType:        []*profile.ValueType{{Type: "calls", Unit: "count"}, wall},
			DefaultSampleType: wall.Type,
			PeriodType:        wall,
			Period:            1,
			TimeNanos:         t.Start.UnixNano(),
			DurationNanos:     int64(t.Duration),
		},
		bases:     map[string]uint64{},
		mappings:  map[mappingKey]*profile.Mapping{},
		locations: map[*Function]*profile.Location{},
	}
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
			s := &profile.Sample{Value: []int64{int64(n.Calls), int64(n.Self)}, Label: b.label.text, NumLabel: b.label.nums}
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
