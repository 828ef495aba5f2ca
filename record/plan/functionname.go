package plan

import "strings"

// Functions that have to be known by their names.

// whyEntryPoint is the reason to leave out the entry point of a program.
const whyEntryPoint = "the program's entry point: nothing calls it, it has no return address"

// neverCalled says why code with a function's symbol is not entered by a call, "" if it may be. The
// kernel would take the caller's data for its return address.
func neverCalled(name string) string {
	if i := strings.LastIndex(name, ".cold"); i > 0 && strings.Trim(name[i+len(".cold"):], ".0123456789") == "" {
		return "the cold part of a function: it is jumped into, it has no return address"
	}
	switch name {
	case "_start", "__start", "_dl_start_user", "_dl_start", "_rt0_amd64_linux":
		return whyEntryPoint
	case "__restore_rt", "__restore", "__kernel_rt_sigreturn":
		return "the return path of signal handlers: it has no return address"
	case "_dl_runtime_resolve", "_dl_runtime_resolve_fxsave", "_dl_runtime_resolve_xsave", "_dl_runtime_resolve_xsavec",
		"_dl_runtime_profile_sse", "_dl_runtime_profile_avx", "_dl_runtime_profile_avx512",
		"_dl_tlsdesc_return", "_dl_tlsdesc_undefweak", "_dl_tlsdesc_dynamic", "__tlsdesc_static", "__tlsdesc_dynamic":
		return "a trampoline of the dynamic linker with a calling convention of its own"
	case "__fentry__", "mcount", "_mcount", "__cyg_profile_func_enter", "__cyg_profile_func_exit":
		return "a hook of another profiler"
	}
	return ""
}

// unsafeReturn says why the return of a function cannot be seen, "" if it can. Such a function does
// not return once and to its caller, or it looks at its return address.
func unsafeReturn(name string) string {
	switch strings.TrimLeft(name, "_") {
	case "setjmp", "sigsetjmp", "savectx", "vfork", "getcontext", "rfork":
		return "it returns twice"
	case "setcontext", "swapcontext", "makecontext", "longjmp", "siglongjmp", "longjmp_chk", "libc_longjmp", "libc_siglongjmp",
		"start_context", "jump_fcontext", "ontop_fcontext", "make_fcontext":
		return "it switches stacks"
	case "clone", "clone2", "clone3", "clone_internal":
		return "it returns on another stack"
	case "dlopen", "dlmopen", "dlsym", "dlvsym", "dlerror", "dl_sym", "dl_vsym", "dl_mcount_wrapper", "libc_dlopen_mode":
		return "it finds its caller by its return address"
	case "Unwind_RaiseException", "Unwind_Resume", "Unwind_Resume_or_Rethrow", "Unwind_ForcedUnwind", "Unwind_Backtrace",
		"Unwind_Find_FDE", "cxa_throw", "cxa_rethrow", "backtrace", "gxx_personality_v0", "pthread_unwind", "pthread_exit":
		return "it unwinds the stack"
	}
	return ""
}

// callsBack reports whether a function of a C library calls functions of the program. These may
// throw an exception through it, or switch stacks.
func callsBack(name string) bool {
	switch strings.TrimLeft(name, "_") {
	case "qsort", "qsort_r", "bsearch", "lsearch", "lfind", "tsearch", "tfind", "tdelete", "twalk", "twalk_r", "tdestroy",
		"pthread_once", "pthread_once_slow", "call_once", "dl_iterate_phdr", "ftw", "ftw64", "nftw", "nftw64",
		"fts_open", "fts64_open", "fts_read", "fts64_read", "fts_children", "fts64_children",
		"scandir", "scandir64", "scandirat", "scandirat64", "glob", "glob64", "argp_parse",
		"dl_catch_exception", "dl_catch_error", "libc_start_main", "libc_start_main_impl", "libc_start_call_main",
		"cxa_finalize", "cxa_thread_atexit_impl", "call_tls_dtors", "libc_freeres",
		"obstack_begin", "obstack_begin_1", "obstack_newchunk", "obstack_free", "xdr_array", "xdr_vector", "xdr_reference", "xdr_pointer", "xdr_union":
		return true
	}
	return false
}

// isOldABI reports whether a Go symbol is of assembly with the old calling convention, in which no
// register holds the goroutine.
func isOldABI(symbol string) bool { return strings.HasSuffix(symbol, ".abi0") }

// hookSetters are C library functions that make other functions call back into the program: hooks
// into streams, printf and the parsing of arguments.
func hookSetters() []string {
	return []string{"fopencookie", "register_printf_function", "register_printf_specifier", "register_printf_modifier", "register_printf_type",
		"argp_parse", "_obstack_begin", "_obstack_begin_1"}
}
