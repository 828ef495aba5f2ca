//go:build linux

package survey

import (
	"slices"
	"sync/atomic"

	"utrace/format"
)

// Set are functions of a surveyed module that are attached together and turned on together.
type Set struct {
	fns    []int // by index, ascending
	first  format.FuncID
	raises bool // it raises semaphores of other probes
	// Attached is set by Probes while the kernel has all its breakpoints, in the processes of the
	// moment.
	Attached atomic.Bool

	id      format.SetID // in the trace, once it is defined; the drainer's
	defined bool
}

func newSet(m Module, fns []int) *Set {
	raises := slices.ContainsFunc(fns, func(fn int) bool { return len(m.Funcs[fn].Raised) > 0 })
	return &Set{first: m.First, fns: slices.Sorted(slices.Values(fns)), raises: raises}
}

// Has reports whether the set has a function, given by its index in the module.
func (s *Set) Has(fn int) bool {
	_, ok := slices.BinarySearch(s.fns, fn)
	return ok
}

// Funcs returns the functions of the set, as numbered in records.
func (s *Set) Funcs() []format.FuncID {
	list := make([]format.FuncID, len(s.fns))
	for i, fn := range s.fns {
		list[i] = s.first + format.FuncID(fn)
	}
	return list
}

// Define returns the number of the set in the trace. The first call defines the set with add. Only
// the drainer may call it.
func (s *Set) Define(add func(*Set) format.SetID) format.SetID {
	if !s.defined {
		s.id, s.defined = add(s), true
	}
	return s.id
}
