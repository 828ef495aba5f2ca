package elffile

import (
	"cmp"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// SwitchesStacks reports whether the program may run on several stacks in one thread, and which
// symbol says so. A lower stack pointer then does not mean a deeper call. It returns sigaltstack
// only if it finds nothing else: then only signal handlers switch.
//
// The rule: the file imports or defines one of switchSymbols. The C library, which exports
// __libc_start_main, defines them for others: only its imports count.
func (f *File) SwitchesStacks() (why string, ok bool) {
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	_, libc := t.defines(true, "__libc_start_main")
	for _, name := range switchSymbols() {
		if t.imports[name] {
			return name, true
		}
		if libc {
			continue
		}
		if _, ok := t.defines(false, name); ok {
			return name, true
		}
	}
	return "", false
}

// switchSymbols switch stacks: ucontext, Boost.Context, libco, libaco and Marcel-style coroutine
// libraries. The last, sigaltstack, gives signal handlers a stack of their own. Many programs do
// that and never switch otherwise.
func switchSymbols() []string {
	return []string{
		"swapcontext", "setcontext", "makecontext",
		"jump_fcontext", "ontop_fcontext", "make_fcontext",
		"co_switch", "co_swtch", "co_swap", "coctx_swap", "aco_resume", "acosw", "coro_transfer", "coroutine_resume", "mco_resume",
		"__splitstack_setcontext",
		"sigaltstack",
	}
}

// LoadsStackPointer finds the first instruction that sets the stack pointer to an argument, or to a
// value in memory that an argument points to. Code that switches stacks must do that, and
// SwitchesStacks may not know its name. Compiled code sets it only from its frame (rbp) or its
// stack.
//
// The search covers functions and the code between them, since assembly often has neither symbols
// nor unwind tables. Data in the code can look like such an instruction: that errs on the safe
// side.
func (f *File) LoadsStackPointer() (at abi.Addr, ok bool) { return f.loadsSP() }

// findStackLoad is LoadsStackPointer, done once.
func (f *File) findStackLoad() (at abi.Addr, ok bool) {
	funcs, err := f.Funcs()
	if err != nil {
		return 0, false
	}
	for _, r := range f.codeRanges() {
		start, end := r.Addr, r.Addr+abi.Addr(r.Size)
		for len(funcs) > 0 && funcs[0].Addr < start {
			funcs = funcs[1:]
		}
		for start < end {
			fn := Func{Addr: start, Size: uint64(end - start)} // the code between two functions
			if len(funcs) > 0 && funcs[0].Addr < end {
				fn.Size = uint64(funcs[0].Addr - start)
			}
			if fn.Size == 0 {
				fn, funcs = funcs[0], funcs[1:]
				if len(funcs) > 0 { // they may overlap
					fn.Size = min(fn.Size, uint64(funcs[0].Addr-fn.Addr))
				}
			}
			if start += abi.Addr(max(fn.Size, 1)); setsStackByDesign(fn.Name) {
				continue
			}
			if at, ok := f.loadsStackPointer(fn); ok {
				return at, true
			}
		}
	}
	return 0, false
}

// codeRanges returns where the file has code, by address and without overlaps: its sections of
// code, or its segments if it has no sections. All together are at most as large as the file.
func (f *File) codeRanges() (ranges []Func) {
	for _, s := range f.code {
		ranges = append(ranges, Func{Addr: abi.Addr(s.Addr), Size: s.Size})
	}
	if len(ranges) == 0 {
		for _, s := range f.Segments {
			ranges = append(ranges, Func{Addr: s.Addr, Size: s.FileSize})
		}
		slices.SortFunc(ranges, func(a, b Func) int { return cmp.Compare(a.Addr, b.Addr) })
	}
	left, past := f.size, abi.Addr(0)
	for i := range ranges {
		r := &ranges[i]
		end := r.Addr + abi.Addr(r.Size)
		r.Addr = max(r.Addr, past)
		r.Size = min(uint64(max(end, r.Addr)-r.Addr), f.room(r.Addr), left)
		left, past = left-r.Size, r.Addr+abi.Addr(r.Size)
	}
	return ranges
}

// maxSwitchLength is the maximum number of instructions in a switch of stacks, after the one that
// loads the stack pointer.
const maxSwitchLength = 32

// loadsStackPointer searches the code of fn, in blocks as large as can be read. It continues after
// bytes that cannot be decoded. Because data may follow them, the instruction must then lead to a
// return or jump. Random bytes seldom do. Tables of libcrypto do not. Code without the bytes of such
// an instruction is not decoded.
func (f *File) loadsStackPointer(fn Func) (at abi.Addr, ok bool) {
	sets := insn.StackSetter(f.Machine)
	leaves := func(code []byte) bool {
		for range maxSwitchLength {
			in, ok := insn.Decode(f.Machine, code, 0)
			if !ok || in.Flow == insn.FlowReturn || in.Flow == insn.FlowJumpIndirect {
				return ok
			}
			code = code[in.Len:]
		}
		return false
	}

	data := false
	end := fn.Addr + abi.Addr(fn.Size)
	for at = fn.Addr; at < end; {
		code, err := f.Code(at, min(uint64(end-at), maxFuncSize))
		if err != nil {
			return 0, false
		}
		isLast := at+abi.Addr(len(code)) == end
		if isLast && !insn.MaySetStack(f.Machine, code) {
			return 0, false
		}
		for len(code) >= (maxSwitchLength+1)*insn.MaxLen || isLast && len(code) > 0 {
			in, decoded := insn.Decode(f.Machine, code, at)
			switch {
			case !decoded:
				in.Len, data = min(insn.MinLen(f.Machine), len(code)), true
			case sets(code[:in.Len]) && (!data || leaves(code[in.Len:])):
				return at, true
			}
			code, at = code[in.Len:], at+abi.Addr(in.Len)
		}
	}
	return 0, false
}

// setsStackByDesign names functions of the C library and the unwinder, in static programs, that set
// the stack pointer.
func setsStackByDesign(name string) bool {
	for _, part := range []string{"longjmp", "_Unwind_", "_dl_", "clone", "_start", "restore_rt", "setcontext", "swapcontext", "morestack", "call_on_stack"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
