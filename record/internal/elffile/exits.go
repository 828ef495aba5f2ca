package elffile

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// maxFuncSize is the largest function that is decoded, in bytes. The largest real ones are generated parsers
// and interpreters, below 1 MiB.
const maxFuncSize = 4 << 20

// ErrUndecodable means that a function holds bytes that are not instructions which this package knows: data in the
// code, or a newer instruction set. Nothing is guessed then. The error is an *UndecodableError.
var ErrUndecodable = errors.New("cannot decode")

// UndecodableError says where decoding stopped. It matches ErrUndecodable.
type UndecodableError struct {
	Func string
	Addr abi.Addr
}

func (e *UndecodableError) Error() string {
	return fmt.Sprintf("%s: %v the instruction at %#x", e.Func, ErrUndecodable, uint64(e.Addr))
}

func (e *UndecodableError) Is(target error) bool { return target == ErrUndecodable }

// ErrOverlapping means that a function is not decoded because others begin in it, in a file that is made to take endless time: together its
// functions have many times the bytes of its code.
var ErrOverlapping = errors.New("other functions begin in it, and together the file's functions are far larger than its code")

// ErrGuessedEnd means that no symbol says where a function ends, and an indirect jump hides which of the bytes up to the next one are code.
var ErrGuessedEnd = errors.New("where it ends is not known, and a jump table hides which of the bytes behind it are code")

// Exits says where a function can be left.
type Exits struct {
	// Returns are the addresses of the return instructions, as far as is known which code runs: data may look like them (see
	// reach). TailCalls are those of direct unconditional jumps to the start of
	// another function or into the procedure linkage table, which then returns for this one. Those of its .cold part are among them.
	Returns, TailCalls []abi.Addr
	// Calls says that the function contains a call, a tail call or an indirect jump: it is not a leaf.
	Calls bool
	// Indirect says that it contains an indirect jump: a switch table or a tail call, which cannot be told apart.
	Indirect bool
	// SelfEntry says that a jump inside leads back to the first byte: a probe there fires more than once a call.
	SelfEntry bool
	// Outside says that a branch leaves the function without being in TailCalls: to a .cold part, which may return or
	// come back; into the middle of another function; or under a condition (jcc) to another function. With Outside
	// or Indirect, the two may not be all ways out.
	Outside bool
	// Targets are the addresses in the function, beyond its first, that its own branches lead to, those of its .cold part included.
	Targets []abi.Addr
	// MoreTargets says that branches may lead to others, too: through a jump table, or from where a branch leaves the
	// function to and may come back from.
	MoreTargets bool
}

// Exits decodes fn from its first to its last byte. The error is an *UndecodableError, ErrNoCode, ErrTooLarge (4 MiB),
// ErrOverlapping or ErrGuessedEnd.
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
	e.Returns, e.TailCalls = sortedSet(e.Returns), sortedSet(e.TailCalls) // what unwind tables call a part can hold all of the function
	return e, nil
}

func sortedSet(list []abi.Addr) []abi.Addr {
	slices.Sort(list)
	return slices.Compact(list)
}

// IsInstruction says whether an instruction of fn starts at a. The errors are those of Exits.
func (f *File) IsInstruction(fn Func, a abi.Addr) (bool, error) {
	if a < fn.Addr || uint64(a-fn.Addr) >= fn.Size {
		return false, nil
	}
	found := false
	err := f.decode(fn, func(at abi.Addr, _ insn.Inst) bool {
		found = at == a
		return at < a
	})
	return found, err
}

// decode is walk for a function of the file, so that all of them take time in proportion to the code.
func (f *File) decode(fn Func, visit func(abi.Addr, insn.Inst) bool) error {
	t, err := f.funcs()
	if err != nil {
		return err
	}
	if i := sort.Search(len(t.funcs), func(i int) bool { return t.funcs[i].Addr > fn.Addr }); t.crowded && i < len(t.funcs) && uint64(t.funcs[i].Addr-fn.Addr) < fn.Size {
		return fmt.Errorf("%s: %w", fn.Name, ErrOverlapping)
	}
	return f.walk(fn, visit)
}

// walk calls visit for each instruction of fn until it returns false.
func (f *File) walk(fn Func, visit func(abi.Addr, insn.Inst) bool) error {
	code, err := f.Code(fn.Addr, fn.Size)
	if err != nil {
		return fmt.Errorf("%s: %w", fn.Name, err)
	}
	for at := fn.Addr; len(code) > 0; {
		in, ok := insn.Decode(f.Machine, code, at)
		if !ok {
			// Padding up to the next function, which on arm64 Go counts as the function's own.
			if (fn.SizeGuessed || f.Machine == elf.EM_AARCH64) && zero(code) {
				return nil
			}
			return &UndecodableError{Func: fn.Name, Addr: at}
		}
		if !visit(at, in) {
			return nil
		}
		code = code[in.Len:]
		at += abi.Addr(in.Len)
	}
	return nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// isTailCall says whether a jump from fn to target, outside it, is a tail call. A jump to or from a .cold part stays in
// one function.
func (f *File) isTailCall(fn Func, target abi.Addr) bool {
	if fn.Cold() {
		return false
	}
	return f.beginsFunction(target)
}

// beginsFunction says whether a function starts at a, or a stub of the procedure linkage table.
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
