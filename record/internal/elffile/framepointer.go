package elffile

import (
	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// Bounds of KeepsFramePointers.
const (
	maxSampledFuncs = 500
	maxCallerSize   = 64 << 10 // bytes that are looked at for a call
	maxPrologueSize = 256      // bytes that are looked at for what sets up a frame, which need not come first
)

// KeepsFramePointers reports whether most functions of the file that call others keep frame pointers, by a sample of them. It is
// true if there are none to look at.
func (f *File) KeepsFramePointers() bool {
	funcs, err := f.Funcs()
	if err != nil {
		return true
	}
	kept, callers := 0, 0
	step := max(1, len(funcs)/maxSampledFuncs)
	for i := 0; i < len(funcs); i += step {
		fn := funcs[i]
		if !f.makesCalls(fn) {
			continue
		}
		callers++
		if f.KeepsFramePointer(fn) {
			kept++
		}
	}
	return 2*kept >= callers
}

// FollowsCall reports whether a is behind a call instruction: a place where a function goes on when one that it has
// called returns. An address that chance has left where a return address would be seldom is.
func (f *File) FollowsCall(a abi.Addr) bool {
	for n := uint64(insn.MaxCallSize); n >= 2; n-- { // fewer at the start of a segment
		if uint64(a) < n {
			continue
		}
		if code, err := f.Code(a-abi.Addr(n), n); err == nil {
			return insn.EndsInCall(f.Machine, code)
		}
	}
	return false
}

// KeepsFramePointer reports whether fn, which calls others, first makes the frame pointer register point to its frame: code that does
// not hides its caller from who follows frame pointers.
func (f *File) KeepsFramePointer(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, maxPrologueSize))
	return err == nil && insn.SetsFramePointer(f.Machine, code, f.IsGo())
}

// makesCalls reports whether there is likely to be a call in fn.
func (f *File) makesCalls(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, maxCallerSize))
	return err == nil && insn.HasCall(f.Machine, code)
}
