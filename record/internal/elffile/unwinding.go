package elffile

import (
	"strings"
)

// Unwinds reports whether C++ exceptions, Rust panics or the like may unwind through frames of this
// file, and which symbol, library or string says so. An unwinder that finds a return probe's
// trampoline instead of a return address aborts the program.
//
// The first rule that matches:
//
//  1. The file imports or defines one of unwindSymbols: C++, Rust, Ada, Objective-C, D.
//  2. It imports or exports one of throwSymbols: a stripped Rust program, or the unwinder.
//  3. It needs a C++ runtime library. Frames without a destructor have no personality, but
//     libstdc++ throws through them.
//  4. It is static and stripped, and its data contains a string that only libstdc++, libc++abi or
//     Rust's runtime has.
//
// Plain C does not match, with -fexceptions, static, or both. Nor does glibc.
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

// Throws reports whether code of this file starts exceptions or panics, and by which symbol. They
// may then unwind through frames of every other file in the process.
//
// Not counted are the libraries that implement unwinding, and out of memory (operator new of an
// allocator), since nobody calls that from below a callback. Nor is the mutex that jemalloc locks
// there, which throws a system_error if that fails.
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
	if why, ok := t.defines(false, names[:3]...); ok { // a static C program contains the unwinder of glibc
		return why, true
	}
	_, allocates := t.defines(true, "_Znwm")
	allocator := allocates && f.Soname != ""
	for name := range t.imports {
		// std::__throw_length_error and the like. bad_alloc is out of memory.
		if strings.HasPrefix(name, "_ZSt") && strings.Contains(name, "__throw_") && !strings.Contains(name, "bad_alloc") &&
			!(allocator && strings.Contains(name, "system_error")) {
			return name, true
		}
	}

	if _, cleanup := f.Imports("__gcc_personality_v0", "__gxx_personality_v0"); cleanup {
		// C with handlers for thread cancellation, or C++ with destructors, unwinds to run them.
		if why, ok := f.Imports("pthread_cancel", "pthread_exit", "pthread_testcancel", "thrd_exit"); ok {
			return why, true
		}
	}
	return "", false
}

// Cancels reports whether code of this file may cancel threads, and by which symbol. Such a thread
// unwinds from where it is in the C library. In a static program glibc includes pthread_cancel with
// threads, so a call to it is assumed.
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

// LoadsCode reports whether code of this file, which is not the C library, may load libraries at
// run time, and by which symbol. It is false for a static program: glibc includes dlopen in each,
// for its own use. Few load anything else, and the linker warns about it.
func (f *File) LoadsCode() (why string, ok bool) {
	if _, err := f.symbols(); err != nil {
		return "symbols cannot be read", true
	}
	return f.Imports("dlopen", "dlmopen", "__libc_dlopen_mode")
}

// unwindSymbols show that exceptions or panics are used. A personality routine is named by the
// unwind tables of every function that has a destructor, a catch or a Drop to run. The others
// start, catch and pass on an exception.
//
// _Unwind_Resume and __gcc_personality_v0 are not included. Plain C compiled with -fexceptions, for
// __attribute__((cleanup)) under thread cancellation, also has them. So does every static
// executable, in glibc's own copy of the unwinder.
func unwindSymbols() []string {
	return []string{
		"__cxa_throw", "__cxa_rethrow", "__cxa_begin_catch", "__gxx_personality_v0", "rust_eh_personality",
		"__gnat_personality_v0", "__objc_personality_v0", "__gdc_personality_v0", "_d_eh_personality",
	}
}

// throwSymbols raise an exception (Itanium C++ ABI, part I, level I). A file that imports one is a
// language runtime or a stripped Rust program. A file that exports one is the unwinder itself.
func throwSymbols() []string {
	return []string{"_Unwind_RaiseException", "_Unwind_Resume_or_Rethrow", "_Unwind_ForcedUnwind"}
}

// runtimeStrings are in the read-only data of every program that contains the runtime: mangled type
// names of C++ runtimes, and text that Rust's panic handler prints or looks up.
func runtimeStrings() []string {
	return []string{"St9exception\x00", "St9type_info\x00", "RUST_BACKTRACE"}
}
