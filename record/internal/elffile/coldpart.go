package elffile

import (
	"sort"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// maxColdSize limits how many bytes of a function's parts are searched, all parts together. Several
// functions may claim one part.
const maxColdSize = 16 << 10

// coldPart is code of a function that the compiler has moved out of line.
type coldPart struct {
	Func
	named              bool       // its symbol marks it as a part; else it may be a function that several others jump to
	entries            []abi.Addr // where branches of the function lead to
	returns, tailCalls []abi.Addr // see Exits
}

// coldParts returns the unlikely parts of a function. Its branches lead to the addresses in
// outside, which are sorted. If complete is false, the code at one of them is unknown, or there is
// too much.
func (f *File) coldParts(outside []abi.Addr) (parts []coldPart, complete bool) {
	left := uint64(maxColdSize)
	for _, to := range outside {
		if f.beginsFunction(to) { // a tail call under a condition
			continue
		}
		if last := len(parts) - 1; last < 0 || uint64(to-parts[last].Addr) >= parts[last].Size {
			part, ok := f.findColdPart(to)
			if !ok || part.Size > left {
				return parts, false
			}
			left -= part.Size
			parts = append(parts, part)
		}
		last := &parts[len(parts)-1]
		last.entries = append(last.entries, to)
	}
	return parts, true
}

// readColdPart adds to the targets of fn those of the branches in a part of it, and finds how the
// part is left. It reports false if the part may have other branches back.
func (f *File) readColdPart(e *Exits, fn Func, part *coldPart) bool {
	complete := true
	var calls []abi.Addr
	err := f.decode(part.Func, func(at abi.Addr, in insn.Inst) bool {
		switch in.Flow {
		case insn.FlowCall, insn.FlowCallIndirect:
			calls = append(calls, at)
		case insn.FlowJumpIndirect:
			complete = false
		case insn.FlowJump, insn.FlowBranch:
			switch {
			case in.Target == fn.Addr:
				e.SelfEntry = true
			case in.Target > fn.Addr && uint64(in.Target-fn.Addr) < fn.Size:
				e.Targets = append(e.Targets, in.Target)
			case in.Target >= part.Addr && uint64(in.Target-part.Addr) < part.Size || f.beginsFunction(in.Target):
			default:
				complete = false
			}
		}
		return complete
	})

	if !complete || err != nil {
		return false
	}
	r := f.reachedCode(part.Func, part.entries, calls)
	if r.unknown {
		return false
	}
	if part.named {
		part.returns, part.tailCalls = r.returns, r.tailCalls
	}
	return true
}

// findColdPart returns the code around a that is moved out of line, by its symbol or by its own
// entry in the unwind tables. The code has no name, so that jumps from it to other functions count
// as tail calls of its function.
func (f *File) findColdPart(a abi.Addr) (part coldPart, ok bool) {
	if fn, ok := f.FuncAt(a); ok {
		return coldPart{Func: Func{Addr: fn.Addr, Size: fn.Size, SizeGuessed: fn.SizeGuessed}, named: true}, fn.Cold()
	}
	frames, err := f.frames()
	if err != nil {
		return part, false
	}
	i := sort.Search(len(frames), func(i int) bool { return frames[i].Start > uint64(a) }) - 1
	if i < 0 || uint64(a) >= frames[i].End() {
		return part, false
	}
	part.Func = Func{Addr: abi.Addr(frames[i].Start), Size: frames[i].Size}
	return part, true
}
