package insn

import (
	"debug/elf"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// Every instruction that objdump decodes in a file must have the same length here, including local
// functions of stripped libraries and their AVX code. Only data in the code may be refused.
func TestLengthsAgreeWithObjdump(t *testing.T) {
	for _, path := range append(elftest.Fixtures(t), elftest.RealFiles()...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := os.Stat(path); err != nil {
				t.Skip("not on this machine")
			}
			text := elftest.Disassembly(t, path)
			f, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			starts := slices.Sorted(maps.Keys(text))
			agree, refused := 0, 0
			for _, s := range f.Sections {
				if s.Flags&elf.SHF_EXECINSTR == 0 || s.Type == elf.SHT_NOBITS {
					continue
				}
				code, err := s.Data()
				if err != nil {
					t.Fatal(err)
				}
				first, _ := slices.BinarySearch(starts, s.Addr)
				for i := first; i+1 < len(starts) && starts[i+1] < s.Addr+s.Size; i++ {
					a, next := starts[i], starts[i+1]
					if !elftest.IsInstruction(text[a]) {
						continue
					}
					in, ok := Decode(f.Machine, code[a-s.Addr:], abi.Addr(a))
					switch {
					case !ok:
						refused++
					case uint64(in.Len) != next-a && code[a-s.Addr] != 0x9b:
						t.Errorf("%#x: %s: %d bytes, want %d", a, text[a], in.Len, next-a)
					default:
						agree++
					}
				}
			}
			t.Logf("%d agree, %d refused", agree, refused)
			if agree == 0 || refused > agree/10_000+2 {
				t.Errorf("%d of %d instructions refused", refused, agree)
			}
		})
	}
}
