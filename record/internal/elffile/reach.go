package elffile

import (
	"debug/elf"
	"encoding/binary"
	"slices"
)

// reach is what of a function's code is known to run: what control comes to from its entry, instruction by instruction. The rest may be data:
// a table behind the last return, a byte of which looks like another. Then a breakpoint there would change it.
type reach struct {
	f                  *File
	fn                 Func
	code               []byte
	seen               []uint64 // a bit for each byte at which an instruction begins
	returns, tailCalls []Addr
	unknown            bool // control goes on where it cannot be followed: any code may run
}

// reached follows the control of fn. Others come into it, too:
//
//  1. its .cold part, by branches to the addresses into; and of such a part, its function;
//  2. functions that have a symbol inside of it;
//  3. the unwinder of exceptions, and Go's runtime, which runs deferred calls behind the last return. The code that they come to
//     calls a function, directly or through an address in memory (-fno-plt), which data do not: see isCall. calls are the addresses of
//     all calls, by which it is found.
func (f *File) reached(fn Func, into, calls []Addr) *reach {
	code, err := f.Code(fn.Addr, fn.Size)
	r := &reach{f: f, fn: fn, code: code, seen: make([]uint64, len(code)/64+1), unknown: err != nil}
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

// has says whether control comes to an instruction at a.
func (r *reach) has(a Addr) bool { return r.seen[(a-r.fn.Addr)/64]>>((a-r.fn.Addr)%64)&1 != 0 }

// follow goes where control goes from a.
func (r *reach) follow(a Addr) {
	decode := decodeX86
	if r.f.Machine == elf.EM_AARCH64 {
		decode = decodeARM64
	}
	size := Addr(len(r.code))
	todo := []Addr{a}
	for len(todo) > 0 && !r.unknown {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for next := true; next && at-r.fn.Addr < size && !r.has(at); {
			in, ok := decode(r.code[at-r.fn.Addr:], at)
			if !ok {
				r.unknown = true
				return
			}
			r.seen[(at-r.fn.Addr)/64] |= 1 << ((at - r.fn.Addr) % 64)
			switch in.flow {
			case flowReturn:
				r.returns = append(r.returns, at)
				next = false
			case flowJumpIndirect:
				r.unknown = true
			case flowJump, flowBranch:
				next = in.flow == flowBranch
				if in.target-r.fn.Addr < size {
					todo = append(todo, in.target)
				} else if !next && r.f.isTailCall(r.fn, in.target) {
					r.tailCalls = append(r.tailCalls, at)
				}
			}
			at += Addr(in.len)
		}
	}
}

// startsIn returns where other functions begin in fn.
func (f *File) startsIn(fn Func) (starts []Addr) {
	funcs, err := f.Funcs()
	if err != nil {
		return nil
	}
	i, _ := slices.BinarySearchFunc(funcs, fn.Addr+1, func(other Func, a Addr) int { return int(int64(other.Addr - a)) })
	for ; i < len(funcs) && uint64(funcs[i].Addr-fn.Addr) < fn.Size; i++ {
		starts = append(starts, funcs[i].Addr)
	}
	return starts
}

// isCall says whether the call at a leads to the start of a function, or to where an address in the file's memory says.
func (f *File) isCall(code []byte, a Addr) bool {
	if f.Machine == elf.EM_AARCH64 {
		in, ok := decodeARM64(code, a)
		return ok && (in.flow == flowCallIndirect || f.beginsFunction(in.target))
	}
	in, ok := decodeX86(code, a)
	if !ok {
		return false
	}
	if in.flow == flowCall {
		return f.beginsFunction(in.target)
	}
	if in.len != 6 || code[0] != 0xff || code[1] != 0x15 { // call *DISTANCE(%rip)
		return false
	}
	_, ok = f.DataOff(a + 6 + Addr(int64(int32(binary.LittleEndian.Uint32(code[2:])))))
	return ok
}
