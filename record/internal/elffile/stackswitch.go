package elffile

import (
	"cmp"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// switchSymbols leave one stack for another: ucontext, Boost.Context, libco, libaco, Marcel-style coroutine libraries. The last
// gives signal handlers a stack of their own, which many programs do that otherwise never switch.
func switchSymbols() []string {
	return []string{
		"swapcontext", "setcontext", "makecontext",
		"jump_fcontext", "ontop_fcontext", "make_fcontext",
		"co_switch", "co_swtch", "co_swap", "coctx_swap", "aco_resume", "acosw", "coro_transfer", "coroutine_resume", "mco_resume",
		"__splitstack_setcontext",
		"sigaltstack",
	}
}

// SwitchesStacks says whether the program may run on several stacks in one thread, and which symbol says so. Then a
// lower stack pointer does not mean a deeper call. sigaltstack is reported only if nothing else is found: the switch
// happens in signal handlers only.
//
// The rule: the file imports one of switchSymbols, or defines it, unless it is the C library itself (it exports
// __libc_start_main, as glibc and musl do), which must define them for others.
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

// LoadsStackPointer looks for an instruction that takes the stack pointer from an argument or from where one
// points to, and says where the first is: what switches stacks must do that, and SwitchesStacks
// may not know its name. Compiled code takes it from its frame (rbp) or its stack only. The code is that of functions
// and, since assembly often has neither symbols nor unwind tables, that between them. Data among it can read as such an
// instruction, which is the safe side.
func (f *File) LoadsStackPointer() (at abi.Addr, ok bool) {
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
			fn := Func{Addr: start, Size: uint64(end - start)} // what is between two functions
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

// codeRanges returns where the file holds code, by address, nothing twice: the sections of code, or the segments of a file that has none.
// Together they are as large as the file at most.
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

// switchLength is how many instructions a switch of stacks has at most, behind the one that loads the stack pointer.
const maxSwitchLength = 32

// loadsStackPointer looks through the code of fn, as much at a time as can be read. It goes on behind what cannot be decoded. What follows
// may be data then, so the instruction must lead to a return or jump. Random bytes seldom do: tables of libcrypto do not.
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

// setsStackByDesign names what does in the C library and the unwinder, in static programs.
func setsStackByDesign(name string) bool {
	for _, part := range []string{"longjmp", "_Unwind_", "_dl_", "clone", "_start", "restore_rt", "setcontext", "swapcontext", "morestack", "call_on_stack"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
