//go:build linux

package plan

import "strings"

// OfRuntime reports whether the function belongs to the runtime of a language rather than to the
// program: Go's scheduler and collector, allocators, functions for memory and text of the C
// library, the standard libraries of C++ and Rust, the engine of Node.js. Such functions are called
// very often, and seldom what somebody asks about.
//
// The symbol decides, so a function of the program that has such a name counts as well.
func (fn *Func) OfRuntime() bool { return fn.USDT == "" && ofRuntime(fn.Symbol) }

// OfMain reports whether the function is in the package main of a Go program, and so not in a
// library.
func (fn *Func) OfMain() bool { return fn.USDT == "" && strings.HasPrefix(fn.Symbol, "main.") }

// ofRuntime is Func.OfRuntime for a symbol.
func ofRuntime(symbol string) bool {
	return ofGo(symbol) || ofCxx(symbol) || ofRust(symbol) || ofC(strings.TrimLeft(symbol, "_"))
}

// ofGo reports whether a symbol is of Go's runtime. It has all packages in internal except those
// that wait for files and connections.
func ofGo(symbol string) bool {
	if strings.HasPrefix(symbol, "internal/poll.") {
		return false
	}
	return hasPrefix(symbol, "runtime.", "runtime/", "internal/", "sync/atomic.", "type:.", "go:",
		"gcWriteBarrier", "debugCall", "memeqbody", "cmpbody", "aeshashbody", "indexbytebody", "countbody",
		"_rt0_", "_cgo_", "x_cgo_", "crosscall")
}

// ofCxx reports whether a symbol is of the standard library of C++, its memory or its exceptions,
// or of the engine of Node.js.
func ofCxx(symbol string) bool {
	name, ok := strings.CutPrefix(symbol, "_Z")
	if !ok {
		return hasPrefix(symbol, "__cxa_", "__gxx_", "_Unwind_", "Builtins_", "uv__")
	}
	if hasPrefix(name, "St", "nw", "na", "dl", "da") { // std::, operators new and delete
		return true
	}
	if name, ok = strings.CutPrefix(name, "N"); !ok {
		return false
	}
	// A member function has its qualifiers first. St and the like abbreviate names in std.
	return hasPrefix(strings.TrimLeft(name, "rVKRO"), "St", "Sa", "Ss", "Sb", "Si", "So", "Sd",
		"9__gnu_cxx", "10__cxxabiv1", "8tcmalloc", "2v88internal")
}

// ofRust reports whether a symbol is of the standard library of Rust or of a crate inside it, in the
// old or new mangling.
func ofRust(symbol string) bool {
	if hasPrefix(symbol, "__rust_", "__rdl_", "__rg_", "rust_") {
		return true
	}
	const hash = len("17h0123456789abcdefE")
	path := ""
	if n := len(symbol) - hash; n > 0 && strings.HasPrefix(symbol[n:], "17h") {
		path = strings.TrimPrefix(symbol, "_ZN")
	} else if strings.HasPrefix(symbol, "_R") {
		if _, crate, ok := strings.Cut(symbol, "Cs"); ok { // the first crate, after its number
			_, path, _ = strings.Cut(crate, "_")
		}
	}
	trait := strings.TrimLeft(path, "0123456789") // of an implementation in the old mangling: <TYPE as TRAIT>
	return hasPrefix(trait, "_$LT$core..", "_$LT$alloc..", "_$LT$std..") ||
		hasPrefix(path, "4core", "5alloc", "3std", "7___rustc", "12panic_unwind", "9hashbrown",
			"5gimli", "9addr2line", "11miniz_oxide", "14rustc_demangle")
}

// ofC reports whether a symbol without leading underscores is of the C library's memory or texts,
// or of an allocator that replaces it.
func ofC(name string) bool {
	if hasPrefix(name, "je_", "tc_", "mi_", "int_malloc", "int_free", "int_realloc", "int_memalign", "tcache_") {
		return true
	}
	base, variant, _ := strings.Cut(strings.TrimPrefix(name, "libc_"), "_")
	switch base {
	case "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "memalign", "valloc", "pvalloc", "sysmalloc",
		"memcpy", "memmove", "memset", "memcmp", "memchr", "memrchr", "rawmemchr", "mempcpy", "memmem", "bcmp", "bzero",
		"strlen", "strnlen", "strcmp", "strncmp", "strcasecmp", "strncasecmp", "strcpy", "strncpy", "stpcpy", "stpncpy",
		"strcat", "strncat", "strchr", "strrchr", "strchrnul", "strstr", "strspn", "strcspn", "strpbrk", "strdup", "strndup",
		"wcslen", "wcsnlen", "wcscmp", "wcschr", "wmemset", "wmemcpy", "wmemcmp", "wmemchr":
		// glibc has a variant for each kind of processor: strlen_avx2.
		return variant == "" || hasPrefix(variant, "sse", "ssse", "avx", "evex", "erms", "generic", "chk", "neon", "sve", "consolidate")
	}
	return name == "posix_memalign" || name == "aligned_alloc" || name == "malloc_usable_size"
}

// hasPrefix reports whether a text begins with one of the prefixes.
func hasPrefix(text string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
