package elffile

import (
	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// Limits of KeepsFramePointers and KeepsFramePointer.
const (
	maxSampledFuncs = 500
	maxCallerSize   = 64 << 10 // bytes searched for a call
	maxPrologueSize = 256      // bytes searched for the set-up of a frame, which need not come first
)

// FollowsCall reports whether a call instruction ends at a, so that a function continues at a after
// the call. A stray address on a stack seldom is.
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

// Calls reports whether a call of the function at fn, by its address, ends at a.
func (f *File) Calls(a, fn abi.Addr) bool {
	size := abi.Addr(insn.DirectCallSize(f.Machine))
	code, err := f.Code(a-size, uint64(size))
	if err != nil {
		return false
	}
	in, ok := insn.Decode(f.Machine, code, a-size)
	return ok && in.Flow == insn.FlowCall && in.Target == fn
}

// KeepsFramePointer reports whether fn sets the frame pointer register to its own frame. If it
// makes calls and does not, a walk along frame pointers misses its caller.
func (f *File) KeepsFramePointer(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, maxPrologueSize))
	return err == nil && insn.SetsFramePointer(f.Machine, code, f.IsGo())
}

// KeepsFramePointers reports whether most functions of the file that make calls keep frame
// pointers. It looks at a sample of them. It is true if none makes calls.
func (f *File) KeepsFramePointers() bool {
	funcs, err := f.Funcs()
	if err != nil {
		return true
	}
	kept, callers := 0, 0
	step := max(1, len(funcs)/maxSampledFuncs)
	for i := 0; i < len(funcs); i += step {
		fn := funcs[i]
		if !f.MakesCalls(fn) {
			continue
		}
		callers++
		if f.KeepsFramePointer(fn) {
			kept++
		}
	}
	return 2*kept >= callers
}

// MakesCalls reports whether there is likely a call in fn. It may take other code for a call.
func (f *File) MakesCalls(fn Func) bool {
	code, err := f.Code(fn.Addr, min(fn.Size, maxCallerSize))
	return err == nil && insn.HasCall(f.Machine, code)
}
