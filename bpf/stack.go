//go:build linux

package bpf

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/cilium/ebpf"
)

// Sizes of struct stack_event of stack.h.
const (
	stackBytes = 32 // without return addresses
	maxFrames  = 127
)

// kindStack is KIND_STACK of event.h.
const kindStack = 0x400

// toldStacks is how many stacks of all processes the kernel side remembers as told.
const toldStacks = 1 << 16

// lives is LIVES of stack.h.
const lives = 1 << 16

// Stack is struct stack_event of stack.h: the stack of callers at an entry. Events of the process that have it carry ID
// as their Value. It is in a ring ahead of the first of them.
type Stack struct {
	TimeNs    uint64 // CLOCK_MONOTONIC
	ID        uint64
	PID       uint32
	ReturnsTo []uint64 // return addresses, the innermost first
}

// Decode reads a record of a ring. It reports false for one of another kind.
func (s *Stack) Decode(rec []byte) bool {
	if len(rec) < stackBytes || binary.NativeEndian.Uint32(rec[0:])&kindStack == 0 {
		return false
	}
	n := min(int(binary.NativeEndian.Uint32(rec[4:])), maxFrames, (len(rec)-stackBytes)/8)
	*s = Stack{
		TimeNs:    binary.NativeEndian.Uint64(rec[8:]),
		ID:        binary.NativeEndian.Uint64(rec[16:]),
		PID:       binary.NativeEndian.Uint32(rec[24:]),
		ReturnsTo: make([]uint64, n),
	}
	for i := range s.ReturnsTo {
		s.ReturnsTo[i] = binary.NativeEndian.Uint64(rec[stackBytes+8*i:])
	}
	return true
}

// prepareStacks has the programs record stacks, if they are wanted.
func prepareStacks(spec *ebpf.CollectionSpec, wanted bool) error {
	if !wanted {
		return nil
	}
	spec.Maps[utraceMapToldStacks].MaxEntries = toldStacks
	spec.Maps[utraceMapLives].MaxEntries = lives
	if err := spec.Variables[utraceVarStackSeed].Set(rand.Uint64()); err != nil {
		return err
	}
	return spec.Variables[utraceVarStacks].Set(uint8(1))
}
