//go:build linux

package bpf

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/cilium/ebpf"

	"utrace/format"
)

const (
	// stackBytes is the size of struct stack_event of types.h, without return addresses.
	stackBytes = 40
	// maxFrames is MAX_FRAMES of types.h.
	maxFrames = 127
	// generations is GENERATIONS of types.h.
	generations = 1 << 16
	// maxSentStacks is how many stacks, across all processes, the programs remember having sent.
	maxSentStacks = 1 << 16
)

// Stack is struct stack_event of types.h: the stack of callers at an entry, or the stack of a
// sample. It is in a ring, ahead of the first event of the process that has ID as its Value.
type Stack struct {
	TimeNs  uint64 // CLOCK_MONOTONIC
	ID      uint64
	PID     uint32
	Sampled bool // the innermost address is that of an instruction, plus 1
	// LeafReturnsTo is, if Sampled, the return address of the function if that has no frame and
	// makes no calls. Else it is anything.
	LeafReturnsTo uint64
	ReturnsTo     []uint64 // return addresses, the innermost first
}

// Decode reads a record of a ring. It reports false for a record of another kind.
func (s *Stack) Decode(rec []byte) bool {
	if len(rec) < stackBytes || binary.NativeEndian.Uint32(rec[0:])&kindStack == 0 {
		return false
	}
	n := min(int(binary.NativeEndian.Uint32(rec[4:])), maxFrames, (len(rec)-stackBytes)/8)
	*s = Stack{
		TimeNs:        binary.NativeEndian.Uint64(rec[8:]),
		ID:            binary.NativeEndian.Uint64(rec[16:]),
		PID:           binary.NativeEndian.Uint32(rec[24:]),
		Sampled:       format.Kind(rec[0]) == format.Sample,
		LeafReturnsTo: binary.NativeEndian.Uint64(rec[32:]),
		ReturnsTo:     make([]uint64, n),
	}
	for i := range s.ReturnsTo {
		s.ReturnsTo[i] = binary.NativeEndian.Uint64(rec[stackBytes+8*i:])
	}
	return true
}

// prepareStacks makes room for the stacks of entries and samples, and turns on those of entries.
func prepareStacks(spec *ebpf.CollectionSpec, atEntries, ofSamples bool) error {
	if !atEntries && !ofSamples {
		return nil
	}
	spec.Maps[utraceMapSentStacks].MaxEntries = maxSentStacks
	spec.Maps[utraceMapGenerations].MaxEntries = generations
	if err := spec.Variables[utraceVarStackSeed].Set(rand.Uint64()); err != nil {
		return err
	}
	return spec.Variables[utraceVarStacks].Set(atEntries)
}
