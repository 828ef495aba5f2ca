//go:build linux

package plan

import "testing"

func TestOfMain(t *testing.T) {
	for symbol, want := range map[string]bool{"main.handle": true, "main.(*server).serve": true, "main": false, "mainloop": false, "net/http.main": false} {
		if fn := (&Func{Symbol: symbol}); fn.OfMain() != want {
			t.Errorf("%s: %v", symbol, !want)
		}
	}
}

// TestOfRuntime checks symbols as compilers write them, and names of programs that look similar.
func TestOfRuntime(t *testing.T) {
	for symbol, want := range map[string]bool{
		// Go
		"runtime.mallocgc": true, "internal/runtime/maps.(*Map).getWithKey": true, "internal/bytealg.IndexByteString": true,
		"type:.eq.main.key": true, "gcWriteBarrier2": true, "runtime/internal/sys.Len64": true,
		"main.main": false, "net/http.(*conn).serve": false, "sync.(*Mutex).Lock": false, "internal/poll.(*FD).Read": false,
		"example.com/app/internal/store.Get": false, "runtimes.run": false,
		// C
		"malloc": true, "__libc_malloc": true, "_int_free": true, "malloc_consolidate": true, "posix_memalign": true, "je_arena_malloc_hard": true,
		"__memmove_avx_unaligned_erms": true, "__strlen_sse2": true, "memcpy": true, "__memcpy_chk": true, "strlen": true,
		"free_list": false, "malloc_stats_command": false, "memcpy_fast": false, "memory_map": false, "string_append": false, "strcmp_keys": false,
		"freeClient": false, "zmalloc": false, "processCommand": false, "main": false,
		// C++
		"_ZNSt6vectorIiSaIiEE9push_backEOi": true, "_ZNKSt8functionIFvvEEclEv": true, "_ZSt4sortIPiEvT_S1_": true, "_Znwm": true, "_ZdlPvm": true,
		"_ZN9__gnu_cxx13new_allocatorIcE8allocateEmPKv": true, "__cxa_throw": true, "_ZNSs6appendEPKc": true, "_ZN2v88internal4Heap14CollectGarbageEv": true,
		"_ZN4pool6Worker3runEv": false, "_ZN4core7processEv": false, "_Z6handleRKSs": false, "_ZN5StackIiE4pushEi": false,
		"_ZN2v85Value8ToStringEv": false, "_ZN4node11Environment4InitEv": false,
		// Rust
		"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE": true, "_ZN5alloc7raw_vec19RawVec8grow_one17h0123456789abcdefE": true,
		"_ZN58_$LT$alloc..string..String$u20$as$u20$core..fmt..Write$GT$9write_str17h0123456789abcdefE": true,
		"_RINvMsj_NtCslNYArtu3iFV_5alloc3vecINtB6_3VeclE3newlEB2_":                                      true, "__rust_alloc": true, "__rdl_dealloc": true,
		"_ZN9hashbrown3raw13RawTableInner14prepare_resize17h0123456789abcdefE": true, "_RNvCshAcd1_7___rustc10rust_panic": true,
		"_ZN3app6handle17h0123456789abcdefE": false, "_RNvCskwGfYPst2Cb_3foo16example_function": false, "_ZN5cores3run17h0123456789abcdefE": false,
		"_ZN45_$LT$app..Job$u20$as$u20$core..ops..Drop$GT$4drop17h0123456789abcdefE": false,
	} {
		fn := Func{Symbol: symbol}
		if got := fn.OfRuntime(); got != want {
			t.Errorf("%s: of the runtime: %v, want %v", symbol, got, want)
		}
	}
	probe := Func{Symbol: "libc:memory_sbrk_more", USDT: "libc:memory_sbrk_more"}
	if named := (&Func{Symbol: "malloc", USDT: "a:malloc"}); probe.OfRuntime() || named.OfRuntime() {
		t.Error("a static probe counts as a function of the runtime")
	}
}
