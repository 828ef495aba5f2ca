package elffile

import (
	"debug/elf"
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// reachedCode is the code of a function that control can reach from its entry, instruction by
// instruction. The rest may be data, such as a table after the last return. A byte of it may look
// like another return, and a breakpoint would change the data.
type reachedCode struct {
	f                  *File
	fn                 Func
	code               []byte
	seen               []uint64 // a bit for each byte: an instruction begins at it
	returns, tailCalls []abi.Addr
	unknown            bool // control cannot be followed: any code may run
}

// reachedCode follows the control of fn, from its entry and from where else it can be entered:
//
//  1. The branches of its .cold part, to the addresses in into. For a .cold part, these are the
//     branches of its function.
//  2. Functions that have a symbol inside of fn.
//  3. The unwinder of exceptions, and Go's runtime, which runs deferred calls after the last
//     return. They enter at code that calls a function directly or through an address in memory
//     (-fno-plt), which data do not: see isCall. calls has the addresses of all calls in fn, to
//     find this code.
func (f *File) reachedCode(fn Func, into, calls []abi.Addr) *reachedCode {
	code, err := f.Code(fn.Addr, fn.Size)
	r := &reachedCode{f: f, fn: fn, code: code, seen: make([]uint64, len(code)/64+1), unknown: err != nil}
	if r.unknown {
		return r
	}
	r.follow(fn.Addr)
	for _, a := range append(into, f.startsIn(fn)...) {
		r.follow(a)
	}
	for _, a := range calls {
		if !r.has(a) && f.isCall(r.code[a-fn.Addr:], a) {
			r.follow(a)
		}
	}
	return r
}

// has reports whether control reaches an instruction at a.
func (r *reachedCode) has(a abi.Addr) bool {
	return r.seen[(a-r.fn.Addr)/64]>>((a-r.fn.Addr)%64)&1 != 0
}

// follow follows the control from a.
func (r *reachedCode) follow(a abi.Addr) {
	size := abi.Addr(len(r.code))
	todo := []abi.Addr{a}
	for len(todo) > 0 && !r.unknown {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for next := true; next && at-r.fn.Addr < size && !r.has(at); {
			in, ok := insn.Decode(r.f.Machine, r.code[at-r.fn.Addr:], at)
			if !ok {
				r.unknown = true
				return
			}
			r.seen[(at-r.fn.Addr)/64] |= 1 << ((at - r.fn.Addr) % 64)
			switch in.Flow {
			case insn.FlowReturn:
				r.returns = append(r.returns, at)
				next = false
			case insn.FlowJumpIndirect:
				r.unknown = true
			case insn.FlowJump, insn.FlowBranch:
				next = in.Flow == insn.FlowBranch
				if in.Target-r.fn.Addr < size {
					todo = append(todo, in.Target)
				} else if !next && r.f.isTailCall(r.fn, in.Target) {
					r.tailCalls = append(r.tailCalls, at)
				}
			}
			at += abi.Addr(in.Len)
		}
	}
}

// startsIn returns where other functions begin in fn.
func (f *File) startsIn(fn Func) (starts []abi.Addr) {
	funcs, err := f.Funcs()
	if err != nil {
		return nil
	}
	i, _ := slices.BinarySearchFunc(funcs, fn.Addr+1, func(other Func, a abi.Addr) int { return int(int64(other.Addr - a)) })
	for ; i < len(funcs) && uint64(funcs[i].Addr-fn.Addr) < fn.Size; i++ {
		starts = append(starts, funcs[i].Addr)
	}
	return starts
}

// isCall reports whether the call at a leads to the start of a function, or through an address in
// the memory of the file.
func (f *File) isCall(code []byte, a abi.Addr) bool {
	in, ok := insn.Decode(f.Machine, code, a)
	switch {
	case !ok:
		return false
	case f.Machine == elf.EM_AARCH64:
		return in.Flow == insn.FlowCallIndirect || f.beginsFunction(in.Target)
	case in.Flow == insn.FlowCall:
		return f.beginsFunction(in.Target)
	}
	if in.Len != 6 || code[0] != 0xff || code[1] != 0x15 { // call *DISTANCE(%rip)
		return false
	}
	_, ok = f.DataOff(a + 6 + abi.Addr(int64(int32(binary.LittleEndian.Uint32(code[2:])))))
	return ok
}
