package elffile

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"debug/elf"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// Symbols by which exceptions and panics show. The personality routine is named by the unwind tables of every function that
// has a destructor, a catch or a Drop to run; the others start, catch and pass on an exception.
//
// _Unwind_Resume and __gcc_personality_v0 are not among them: plain C compiled with -fexceptions, for
// __attribute__((cleanup)) under thread cancellation, has them too, as has every static executable (in
// glibc's own copy of the unwinder).
func unwindSymbols() []string {
	return []string{
		"__cxa_throw", "__cxa_rethrow", "__cxa_begin_catch", "__gxx_personality_v0", "rust_eh_personality",
		"__gnat_personality_v0", "__objc_personality_v0", "__gdc_personality_v0", "_d_eh_personality",
	}
}

// throwSymbols raise an exception in the words of the Itanium C++ ABI (part I, level I). Who imports one of them is a language runtime
// (stripped Rust programs do), who exports one is the unwinder itself.
func throwSymbols() []string {
	return []string{"_Unwind_RaiseException", "_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind"}
}

// Unwinds says whether C++ exceptions, Rust panics or their like may unwind through frames of this file, and which
// symbol, library or string says so. An unwinder that meets a return probe's trampoline in place of a return address aborts the program.
//
// The rule, first match:
//  1. it imports or defines one of unwindSymbols: C++, Rust, Ada, Objective-C, D;
//  2. it imports or exports one of throwSymbols: a stripped Rust program, or the unwinder;
//  3. it needs a C++ runtime library: frames without a destructor have no personality, but libstdc++ throws through them;
//  4. it is static and stripped, and its data holds a string that only libstdc++, libc++abi or Rust's runtime has.
//
// Plain C is not flagged, with -fexceptions or static or both, nor is glibc.
func (f *File) Unwinds() (why string, ok bool) {
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	if why, ok := f.Imports(unwindSymbols()...); ok {
		return why, true
	}
	if why, ok := t.defines(false, unwindSymbols()...); ok {
		return why, true
	}
	if why, ok := f.Imports(throwSymbols()...); ok {
		return why, true
	}
	if why, ok := t.defines(true, throwSymbols()...); ok {
		return why, true
	}
	for _, lib := range f.Needed {
		if strings.HasPrefix(lib, "libstdc++.so") || strings.HasPrefix(lib, "libc++.so") || strings.HasPrefix(lib, "libc++abi.so") {
			return lib, true
		}
	}
	if f.Interp == "" && len(f.Needed) == 0 && f.Stripped() && f.Soname == "" {
		return f.DataHolds(runtimeStrings()...)
	}
	return "", false
}

// runtimeStrings are in the read-only data of every program that holds the runtime in question: the mangled type names of
// C++ runtimes, and what Rust's panic handler prints or looks up.
func runtimeStrings() []string {
	return []string{"St9exception\x00", "St9type_info\x00", "RUST_BACKTRACE"}
}

// DataHolds looks for the strings, of at most 32 bytes, in the read-only data of the file, as far as 256 MiB, and says which one is there.
func (f *File) DataHolds(wanted ...string) (string, bool) {
	const chunk, overlap = 1 << 20, 32
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 {
			continue
		}
		end := p.Off + min(p.Filesz, 256<<20)
		for off := p.Off; off < end && off < f.size; off += chunk {
			b := f.readAt(off, min(chunk+overlap, end-off))
			for _, w := range wanted {
				if bytes.Contains(b, []byte(w)) {
					return strings.TrimRight(w, "\x00"), true
				}
			}
		}
	}
	return "", false
}

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

// HoldsLibc says whether functions of a C library may be in the file, and why: it is static, or the library itself, or its dynamic linker.
func (f *File) HoldsLibc() (why string, ok bool) {
	if f.Interp == "" && len(f.Needed) == 0 {
		return "it needs no library", true
	}
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	return t.defines(true, "__libc_start_main")
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

// IsGo says whether the file is a program or library of Go's own toolchain, by the sections that its linker makes and that
// strip leaves in place. The runtime moves the stacks of goroutines and looks at every return address on them.
func (f *File) IsGo() bool {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo"} {
		if f.elf.Section(name) != nil {
			return true
		}
	}
	return false
}

// GoVersion returns the version of Go that the file was built with, such as "go1.26.1", "" if it does not say.
func (f *File) GoVersion() (version string) {
	catchPanic(func() error {
		info, err := buildinfo.Read(f.r)
		if err == nil {
			version = info.GoVersion
		}
		return err
	})
	return version
}
