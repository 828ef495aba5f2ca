package elffile

import (
	"debug/elf"
	"testing"
)

// TestMovesCode checks which functions and sections show that a program moves its code. The names
// are those of llvm-bolt 15 and 16, and mangled as in ClickHouse, HHVM and Node.js.
func TestMovesCode(t *testing.T) {
	for _, c := range []struct {
		section, symbol, want string
	}{
		{".bolt.hugify.entries", "main", ".bolt.hugify.entries"},
		{".text", "__bolt_hugify_start_program", "__bolt_hugify_"},
		{".text", "_ZN2DB12_GLOBAL__N_116remapToHugeStep3EPvmm", "remapToHugeStep"},
		{".text", "_ZN4HPHPL10hugifyTextEPcS0_", "hugifyText"},
		{".bolt.org.text", "main", ""},
		{".text.bolt.extra.1", "main", ""}, // llvm-bolt -instrument
		{".text", "_ZN4node25MapStaticCodeToLargePagesEv", ""},
	} {
		table := &symbolTable{defined: []symbol{{name: "main"}, {name: c.symbol}}}
		section := &elf.Section{SectionHeader: elf.SectionHeader{Name: c.section}}
		f := &File{elf: &elf.File{Sections: []*elf.Section{section}}, symbols: func() (*symbolTable, error) { return table, nil }}
		if why, ok := f.MovesCode(); ok != (c.want != "") || why != c.want {
			t.Errorf("%s, %s: %q, %v", c.section, c.symbol, why, ok)
		}
	}
}
