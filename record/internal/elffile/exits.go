package elffile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// ErrGuessedEnd means that no symbol says where a function ends, and that an indirect jump hides
// which bytes up to the next function are code.
var ErrGuessedEnd = errors.New("its end is not known, and a jump table hides which of the following bytes are code")

// Exits says where a function can be left.
type Exits struct {
	// Returns are the addresses of the return instructions. If it is known which code runs, only
	// those in it count, since data may look like a return (see reachedCode). TailCalls are the
	// addresses of direct unconditional jumps to the start of another function, or into the
	// procedure linkage table: the other function then returns for this one. Those of its .cold
	// part are included.
	Returns, TailCalls []abi.Addr
	// Calls reports whether the function contains a call, a tail call or an indirect jump: it is
	// not a leaf.
	Calls bool
	// Indirect reports whether it contains an indirect jump: a switch table or a tail call, which
	// look the same.
	Indirect bool
	// SelfEntry reports whether a jump inside leads back to the first byte. A probe on that byte
	// fires more than once a call.
	SelfEntry bool
	// Outside reports whether a branch leaves the function without being in TailCalls. It may lead
	// to a .cold part, which may return or come back; into the middle of another function; or,
	// under a condition (jcc), to another function. With Outside or Indirect, Returns and TailCalls
	// may not be all exits.
	Outside bool
	// Targets are the addresses in the function, beyond its first, that its own branches lead to.
	// Branches of its .cold part are included.
	Targets []abi.Addr
	// MoreTargets reports whether branches may lead to further addresses: through a jump table, or
	// back from code outside that a branch leads to.
	MoreTargets bool
}

// Exits decodes fn from its first to its last byte. The error is an *UndecodableError, ErrNoCode,
// ErrTooLarge (4 MiB), ErrOverlapping or ErrGuessedEnd.
func (f *File) Exits(fn Func) (Exits, error) {
	var e Exits
	end := fn.Addr + abi.Addr(fn.Size)
	outside := map[abi.Addr]bool{}
	var calls []abi.Addr
	err := f.decode(fn, func(at abi.Addr, in insn.Inst) bool {
		switch in.Flow {
		case insn.FlowReturn:
			e.Returns = append(e.Returns, at)
		case insn.FlowCall, insn.FlowCallIndirect:
			e.Calls = true
			calls = append(calls, at)
		case insn.FlowJumpIndirect:
			e.Calls, e.Indirect = true, true
		case insn.FlowJump, insn.FlowBranch:
			switch {
			case in.Target == fn.Addr:
				e.SelfEntry = true
			case in.Target >= fn.Addr && in.Target < end:
				e.Targets = append(e.Targets, in.Target)
			case in.Flow == insn.FlowJump && f.isTailCall(fn, in.Target):
				e.TailCalls = append(e.TailCalls, at)
				e.Calls = true
			default:
				e.Outside = true
				outside[in.Target] = true
			}
		}
		return true
	})
	if err != nil {
		return Exits{}, err
	}
	own := len(e.Targets)
	parts, followed := f.coldParts(slices.Sorted(maps.Keys(outside)))
	for i := range parts {
		followed = f.readColdPart(&e, fn, &parts[i]) && followed
	}
	e.MoreTargets = e.Indirect || !followed
	switch r := f.reachedCode(fn, e.Targets[own:], calls); {
	case followed && !r.unknown:
		e.Returns, e.TailCalls = r.returns, r.tailCalls
	case fn.SizeGuessed:
		return Exits{}, fmt.Errorf("%s: %w", fn.Name, ErrGuessedEnd)
	}

	for _, p := range parts {
		e.Returns, e.TailCalls = append(e.Returns, p.returns...), append(e.TailCalls, p.tailCalls...)
	}

	// A part in the unwind tables can contain all of the function.
	e.Returns, e.TailCalls = sortedSet(e.Returns), sortedSet(e.TailCalls)
	return e, nil
}

func sortedSet(list []abi.Addr) []abi.Addr {
	slices.Sort(list)
	return slices.Compact(list)
}

// isTailCall reports whether a jump from fn to target, which is outside of it, is a tail call. A
// jump from or to a .cold part stays in one function.
func (f *File) isTailCall(fn Func, target abi.Addr) bool {
	if fn.Cold() {
		return false
	}
	return f.beginsFunction(target)
}

// beginsFunction reports whether a function, or a stub of the procedure linkage table, starts at a.
func (f *File) beginsFunction(a abi.Addr) bool {
	if f.inPLT(a) {
		return true
	}
	t, err := f.funcs()
	if err != nil {
		return false
	}
	starts := func(fs []Func) bool {
		i := sort.Search(len(fs), func(i int) bool { return fs[i].Addr >= a })
		return i < len(fs) && fs[i].Addr == a && !fs[i].Cold()
	}
	return starts(t.funcs) || starts(t.ifuncs)
}
