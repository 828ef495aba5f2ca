package elffile

import (
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
// (operator new of an allocator) does not count: nobody calls that from below a callback. Nor does the mutex that
// jemalloc takes there, which throws a system_error if it cannot be locked.
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
	_, allocates := t.defines(true, "_Znwm")
	allocator := allocates && f.Soname != ""
	for name := range t.imports {
		// std::__throw_length_error and its like; bad_alloc is out of memory
		if strings.HasPrefix(name, "_ZSt") && strings.Contains(name, "__throw_") && !strings.Contains(name, "bad_alloc") &&
			!(allocator && strings.Contains(name, "system_error")) {
			return name, true
		}
	}
	if _, cleanup := f.Imports("__gcc_personality_v0", "__gxx_personality_v0"); cleanup {
		// C with handlers for thread cancellation, C++ with destructors: it unwinds to run them.
		if why, ok := f.Imports("pthread_cancel", "pthread_exit", "pthread_testcancel", "thrd_exit"); ok {
			return why, true
		}
	}
	return "", false
}

// Cancels says whether code of this file may cancel threads, and by which symbol. Such a thread unwinds from where it is in the C
// library. In a static program glibc brings pthread_cancel along with threads: whether anybody calls it cannot be told.
func (f *File) Cancels() (why string, ok bool) {
	if why, ok := f.Imports("pthread_cancel"); ok {
		return why, true
	}
	if _, ok := f.HoldsLibc(); !ok {
		return "", false
	}
	t, err := f.symbols()
	if err != nil {
		return "symbols cannot be read", true
	}
	return t.defines(false, "pthread_cancel")
}

// LoadsCode says whether code of this file, which is not the C library, may load libraries while it runs, and by which symbol.
// Of a static program that cannot be told: glibc brings dlopen into each, for its own use. Few load anything else, and they are warned by the linker.
func (f *File) LoadsCode() (why string, ok bool) {
	if _, err := f.symbols(); err != nil {
		return "symbols cannot be read", true
	}
	return f.Imports("dlopen", "dlmopen", "__libc_dlopen_mode")
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
