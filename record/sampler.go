//go:build linux

package record

import (
	"cmp"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/stacks"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// sampler counts the samples of a recording by their stacks. Only the drainer's goroutine may use
// it.
type sampler struct {
	stacks *stacks.Set
	counts map[format.StackID]int
}

// takesSamples reports whether the recording is to have samples. A sample is written at once, and
// so would come before the entries of deferred calls.
func (s *session) takesSamples() bool { return s.cfg.Samples > 0 && !s.plan.DefersCalls() }

// newSampler makes the processors' clocks tick. Where that is not allowed it says so, and returns
// nil: a recording can do without samples.
func newSampler(objs *bpf.Objects, hz int, notice func(text string, args ...any)) *sampler {
	if err := objs.WatchClocks(hz); err != nil {
		notice("no samples of CPU time: %v", err)
		return nil
	}
	return &sampler{counts: map[format.StackID]int{}}
}

// add counts a sample. Its stack is 0 if it is unknown.
func (s *sampler) add(stack format.StackID) {
	if stack != 0 {
		s.counts[stack]++
	}
}

// seen returns how many samples fell into each function of a module so far, by index. Functions
// without samples are not there, nor are static probes and single instructions.
func (s *sampler) seen(m *plan.Module) map[int]survey.Sampled {
	var sized []int
	for i := range m.Funcs {
		if m.Funcs[i].Size > 0 {
			sized = append(sized, i)
		}
	}
	found := map[int]survey.Sampled{}
	var on []int // functions on a stack, each once
	for stack, count := range s.counts {
		on = on[:0]
		leaf := count
		for file, addr := range s.stacks.Places(stack) {
			if file == m.Image.Version {
				if i, ok := functionAt(m, sized, addr); ok && !slices.Contains(on, i) {
					n := found[i]
					found[i] = survey.Sampled{Leaf: n.Leaf + leaf, Any: n.Any + count}
					on = append(on, i)
				}
			}
			leaf = 0
		}
	}
	return found
}

// functionAt returns the index of the function of a module with an instruction. sized are the
// functions that have a size, in the order of their addresses.
func functionAt(m *plan.Module, sized []int, addr abi.Addr) (int, bool) {
	n, _ := slices.BinarySearchFunc(sized, uint64(addr)+1, func(i int, addr uint64) int {
		return cmp.Compare(m.Funcs[i].Addr, addr)
	})
	if n == 0 {
		return 0, false
	}
	i := sized[n-1]
	return i, uint64(addr)-m.Funcs[i].Addr < m.Funcs[i].Size
}

// sampleWarnings says which samples are missing.
func sampleWarnings(lost, unplaced uint64) (warnings []string) {
	if lost > 0 {
		warnings = append(warnings, fmt.Sprintf("%d samples of CPU time were lost: no room in the buffers; record with a larger --ring-size", lost))
	}
	if unplaced > 0 {
		warnings = append(warnings, fmt.Sprintf("%d samples of CPU time are left out: their threads were in the kernel, and only a kernel with BTF (CONFIG_DEBUG_INFO_BTF) shows from where", unplaced))
	}
	return warnings
}
