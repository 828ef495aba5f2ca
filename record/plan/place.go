package plan

import (
	"errors"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
)

// ReturnBy says how the return of a function is seen.
type ReturnBy int

const (
	// ByTrampoline: the kernel replaces the return address at the entry
	// (a uretprobe). Cheap, but the replaced address stops a C++ exception or a
	// Rust panic from unwinding, which aborts the program, and goes wrong where
	// the thread switches stacks in between.
	ByTrampoline ReturnBy = iota
	// ByInstruction: a probe on each return instruction. Always safe, but each is
	// an instruction that the kernel must step over.
	ByInstruction
	// Never: the entry only.
	Never
)

func (r ReturnBy) String() string {
	switch r {
	case ByTrampoline:
		return "uretprobe"
	case ByInstruction:
		return "ret"
	}
	return "none"
}

// placement is where the probes of a function go.
type placement struct {
	entry insn.Entry
	by    ReturnBy
	// With ByInstruction, by which it ends; see elffile.Exits.
	returns, tailCalls []abi.Addr
	why                string // with Never
}

// place decides where to probe a function, or why not to (leftOut); args says that its arguments are wanted.
//
//  1. Code that is not entered by a call has no return address: no probe.
//  2. The site of the entry: see insn.FindEntry. If the kernel refuses it: no probe.
//  3. A function that returns twice, unwinds, or asks who called it: the entry only.
//  4. In a file without hazards, but for functions of the C library that call the program back if that throws or switches stacks, and for leaf functions unless a signal handler may run on top of
//     them (hazards.leaves): the trampoline. Nothing else can unwind or switch stacks below a leaf. But a leaf
//     without a name may be what switches stacks.
//  5. Else the return instructions, if all of the function can be decoded.
func place(file *elffile.File, fn elffile.Func, h hazards, k insn.Kernel, naive, args bool) (p placement, leftOut string) {
	names := append([]string{fn.Name}, fn.Aliases...)
	for _, name := range names {
		if why := notCalled(name); why != "" {
			return p, why
		}
	}
	if fn.Addr == file.Entry {
		return p, "the program's entry point: nothing calls it, it has no return address"
	}
	if _, ok := file.FileOff(fn.Addr); !ok {
		return p, "its code is not in the file"
	}
	exits, err := file.Exits(fn)
	if errors.Is(err, elffile.ErrOverlapping) {
		return p, err.Error()
	}
	if h.isGo {
		switch {
		case h.goid == 0:
			return p, "this version of Go is not known: its goroutines cannot be told apart"
		case slices.ContainsFunc(names, isOldABI):
			return p, "assembly with Go's old calling convention: its goroutine cannot be told"
		case err != nil:
			return p, err.Error()
		}
	} else if err == nil && exits.SelfEntry {
		return p, "a loop leads back to its first instruction: passes and calls cannot be told apart"
	}
	p.entry = insn.Entry{Addr: fn.Addr, Class: insn.Stepped, Why: "as asked for"}
	if h.isGo || !naive {
		var ok bool
		if p.entry, ok = entryOf(file, fn, exits, err, h.isGo, args, k); !ok {
			return p, "a loop leads back to its first instruction: passes and calls cannot be told apart"
		}
	}
	if why := refusedByKernel(file, p.entry.Addr); why != "" {
		return p, why
	}
	for _, name := range names {
		if why := unsafeReturn(name); why != "" {
			p.by, p.why = Never, why
			return p, ""
		}
	}
	why, leaves := h.why, h.leaves
	// A local function of the C library can be the part of another one that calls back.
	if why == "" && h.callbacks != "" && (!fn.Global || slices.ContainsFunc(names, callsBack)) {
		why = h.callbacks
	}
	if fn.Recovered {
		leaves = true
		if why == "" {
			why = h.nameless
		}
	}
	switch {
	case why == "" || !leaves && err == nil && !exits.Calls && !exits.Outside:
		p.by = ByTrampoline
	case err != nil:
		p.by, p.why = Never, why+", and "+err.Error()
	case len(exits.Returns)+len(exits.TailCalls) == 0:
		p.by, p.why = Never, why+", and it has no return instruction"
	default:
		for _, a := range exits.Returns {
			if refused := refusedByKernel(file, a); refused != "" {
				p.by, p.why = Never, why+", and of its return instruction: "+refused
				return p, ""
			}
		}
		p.by, p.returns, p.tailCalls = ByInstruction, exits.Returns, exits.TailCalls
	}
	return p, ""
}

// notCalled names code that carries a function's symbol and is not entered by
// a call: a return address in it would be somebody's data.
func notCalled(name string) string {
	if i := strings.LastIndex(name, ".cold"); i > 0 && strings.Trim(name[i+len(".cold"):], ".0123456789") == "" {
		return "the cold part of a function: it is jumped into, it has no return address"
	}
	switch name {
	case "_start", "__start", "_dl_start_user", "_dl_start", "_rt0_amd64_linux":
		return "the program's entry point: nothing calls it, it has no return address"
	case "__restore_rt", "__restore", "__kernel_rt_sigreturn":
		return "the way back from signal handlers: it has no return address"
	case "_dl_runtime_resolve", "_dl_runtime_resolve_fxsave", "_dl_runtime_resolve_xsave", "_dl_runtime_resolve_xsavec",
		"_dl_runtime_profile_sse", "_dl_runtime_profile_avx", "_dl_runtime_profile_avx512",
		"_dl_tlsdesc_return", "_dl_tlsdesc_undefweak", "_dl_tlsdesc_dynamic", "__tlsdesc_static", "__tlsdesc_dynamic":
		return "a trampoline of the dynamic linker with a calling convention of its own"
	case "__fentry__", "mcount", "_mcount", "__cyg_profile_func_enter", "__cyg_profile_func_exit":
		return "a hook of another profiler"
	}
	return ""
}

// unsafeReturn names functions that do not return the ordinary way, once and to
// their caller, or that look at their return address.
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
		return "it asks for its caller by its return address"
	case "Unwind_RaiseException", "Unwind_Resume", "Unwind_Resume_or_Rethrow", "Unwind_ForcedUnwind", "Unwind_Backtrace",
		"Unwind_Find_FDE", "cxa_throw", "cxa_rethrow", "backtrace", "gxx_personality_v0", "pthread_unwind", "pthread_exit":
		return "it unwinds the stack"
	}
	return ""
}

// callsBack names functions of C libraries that call functions of a program,
// which may throw an exception through them or switch stacks.
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

// refusedByKernel says why there can be no breakpoint on an instruction, "" if there can: see insn.Refused.
func refusedByKernel(file *elffile.File, a abi.Addr) string {
	for n := uint64(insn.MaxLen); n > 0; n-- { // fewer at the end of the code
		if code, err := file.Code(a, n); err == nil {
			return insn.Refused(file.Machine, code)
		}
	}
	return ""
}
