//go:build linux

package plan

import (
	"testing"

	"utrace/record/internal/elffile"
)

// TestImplementations: the names are those of glibc 2.36 and of gcc's target_clones.
func TestImplementations(t *testing.T) {
	funcs := []elffile.Func{{Name: "__memcpy_avx_unaligned_erms"}, {Name: "__memcpy_chk_ssse3"}, {Name: "hot.avx2"}, {Name: "hot.resolver"}, {Name: "timer"}}
	for symbol, want := range map[string]string{
		"memcpy": " (__memcpy_*)", "__memcpy_chk": " (__memcpy_chk_*)", "hot": " (hot.*)", "time": "", "foo": "",
	} {
		if got := implementations(symbol, funcs); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}
