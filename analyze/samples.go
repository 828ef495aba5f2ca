package analyze

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/pprof/profile"

	"utrace/format"
)

// unknownPlace is the name of where samples without a stack were.
const unknownPlace = "[unknown]"

// sampleKey is equal for the samples of a thread at one place.
type sampleKey struct {
	thread Label
	stack  format.StackID
}

// addSamples adds the samples of traces to a profile, as samples/count: each with its whole stack,
// whether the functions on it are probed or not. A function is selected with all that it called. A
// sample is no call: Options.Min and By do not apply.
func (b *profileBuilder) addSamples(paths []string, opts *Options) error {
	p := b.profile
	for _, s := range p.Sample {
		s.Value = append(s.Value, 0)
	}
	p.SampleType = append(p.SampleType, &profile.ValueType{Type: "samples", Unit: "count"})
	fns := newFunctions()
	for _, path := range paths {
		src, err := openEvents(path, opts)
		if err != nil {
			return err
		}
		counts, err := src.countSamples(opts)
		src.close()
		if err != nil {
			return err
		}
		for _, key := range slices.SortedFunc(maps.Keys(counts), compareSampleKeys) {
			if at, ok := b.stackOf(src, fns, key.stack, opts.Function); ok {
				b.addSample(&key.thread, at, counts[key])
			}
		}
	}
	return nil
}

func compareSampleKeys(a, b sampleKey) int {
	return cmp.Or(cmp.Compare(a.thread.PID, b.thread.PID), cmp.Compare(a.thread.TID, b.thread.TID),
		cmp.Compare(a.thread.Process, b.thread.Process), cmp.Compare(a.thread.Thread, b.thread.Thread), cmp.Compare(a.stack, b.stack))
}

// countSamples counts the selected samples of a trace.
func (s *source) countSamples(opts *Options) (map[sampleKey]int64, error) {
	counts := map[sampleKey]int64{}
	err := s.each(format.Columns{Value: true}, func(b *batch) error {
		for _, r := range b.runs {
			t := &s.tables.Threads[r.thread]
			if !opts.thread(*t) {
				continue
			}
			label := Label{PID: t.PID, TID: t.TID, Process: s.processes[r.thread].Comm, Thread: t.Comm}
			ns := s.clocks[r.thread] - r.tookNs
			for row := r.from; row < r.to; row++ {
				ns += int64(b.DeltaNs[row])
				if format.Kind(b.Kind[row]) == format.Sample && !opts.outside(ns) {
					counts[sampleKey{label, format.StackID(b.Value[row])}]++
				}
			}
		}
		b.release()
		return nil
	})
	return counts, err
}

// stackOf returns the places of a stack, the innermost first. It reports whether a function on it
// is selected.
func (b *profileBuilder) stackOf(src *source, fns *functions, stack format.StackID, selected *Pattern) (list []*profile.Location, ok bool) {
	t := &src.tables
	ok = selected == nil
	for stack != 0 && int(stack) <= len(t.Stacks) {
		s := &t.Stacks[stack-1]
		fn := &t.Funcs[s.Func]
		list = append(list, b.location(&fns.list[fns.add(fn, t.Modules)]))
		ok = ok || selected.function(fn)
		stack = s.Outer
	}
	if len(list) == 0 {
		list = append(list, b.location(&Function{Name: unknownPlace}))
	}
	return list, ok
}

func (b *profileBuilder) addSample(thread *Label, at []*profile.Location, count int64) {
	b.setThread(thread)
	label := b.label(&Value{})
	s := &profile.Sample{Value: make([]int64, len(b.profile.SampleType)), Location: at, Label: label.text, NumLabel: label.nums}
	s.Value[len(s.Value)-1] = count
	b.profile.Sample = append(b.profile.Sample, s)
}
