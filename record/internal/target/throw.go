package target

import (
	"debug/elf"
	"strings"
)

// IsLibc says whether the file is the C library: it exports __libc_start_main, as glibc and musl do.
func (f *File) IsLibc() bool {
	t, err := f.symbols()
	if err != nil {
		return false
	}
	_, ok := t.defines(true, "__libc_start_main")
	return ok
}

// Throws says whether code of this file starts exceptions or panics, which may then unwind through the frames of every other
// file of the process, and by which symbol. The libraries that implement unwinding are not meant, only those who use them. Out of memory
// (operator new of an allocator) does not count: nobody calls that from below a callback.
func (f *File) Throws() (why string, ok bool) {
	for _, runtime := range []string{"libstdc++.so", "libgcc_s.so", "libc++.so", "libc++abi.so", "libunwind.so"} {
		if strings.HasPrefix(f.Soname, runtime) {
			return "", false
		}
	}
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	names := []string{"__cxa_throw", "__cxa_rethrow", "rust_eh_personality", "_Unwind_RaiseException", "_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind"}
	if why, ok := f.Imports(names...); ok {
		return why, true
	}
	if why, ok := t.defines(false, names[:3]...); ok { // a static C program has the unwinder of glibc itself
		return why, true
	}
	for name := range t.imports {
		// std::__throw_length_error and its like; bad_alloc is out of memory
		if strings.HasPrefix(name, "_ZSt") && strings.Contains(name, "__throw_") && !strings.Contains(name, "bad_alloc") {
			return name, true
		}
	}
	if _, cleanup := f.Imports("__gcc_personality_v0"); cleanup {
		// C with handlers for thread cancellation, which unwinds to run them.
		if why, ok := f.Imports("pthread_cancel", "pthread_exit", "pthread_testcancel", "thrd_exit"); ok {
			return why, true
		}
	}
	return "", false
}

// LoadsStackPointer says whether code of the file puts a value into the stack pointer that is not made from the stack or
// frame pointer, and in which function: home-made coroutines do. Arrays of variable length may, too. The functions of
// the C library that do, in static programs, are not meant. x86-64 only.
func (f *File) LoadsStackPointer() (function string, ok bool) {
	funcs, err := f.Funcs()
	if err != nil || f.Machine != elf.EM_X86_64 {
		return "", false
	}
	for _, fn := range funcs {
		if setsStackByDesign(fn.Name) {
			continue
		}
		code, err := f.Code(fn.Addr, fn.Size)
		if err != nil {
			continue
		}
		found := false
		f.walk(fn, func(at Addr, _ inst) bool {
			found = loadsRSP(code[at-fn.Addr:])
			return !found
		})
		if found {
			return fn.Name, true
		}
	}
	return "", false
}

func setsStackByDesign(name string) bool {
	for _, part := range []string{"longjmp", "_Unwind_", "_dl_", "clone", "_start", "restore_rt", "setcontext", "swapcontext", "morestack", "call_on_stack"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// loadsRSP recognises mov to %rsp from a register other than %rbp or from memory not addressed by %rbp,
// xchg with %rsp and pop %rsp (Intel SDM, volume 2: opcodes 89, 8B, 87, 5C with REX.W).
func loadsRSP(code []byte) bool {
	const rsp, rbp = 4, 5
	if len(code) > 0 && code[0] == 0x5c {
		return true
	}
	if len(code) < 3 || code[0]&0xf8 != 0x48 {
		return false
	}
	rexR, rexB := code[0]&4 != 0, code[0]&1 != 0
	mod, reg, rm := code[2]>>6, code[2]>>3&7, code[2]&7
	toRSP := reg == rsp && !rexR
	switch code[1] {
	case 0x89:
		return mod == 3 && rm == rsp && !rexB && !(reg == rbp && !rexR)
	case 0x8b:
		return toRSP && !(rm == rbp && !rexB && mod != 0)
	case 0x87:
		return toRSP || mod == 3 && rm == rsp && !rexB
	}
	return false
}
