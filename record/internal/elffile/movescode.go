package elffile

import (
	"strings"
)

// MovesCode reports whether the program may copy its own code to huge pages when it starts, and
// which symbol or section says so. It does not look for options that a program needs for that.
//
//   - BOLT's runtime library (llvm-bolt -hugify): LLVM 15 and older have a section of their own. Later
//     ones have a symbol, and a text in case the symbols are stripped.
//   - Programs that contain one of codeMovers.
func (f *File) MovesCode() (why string, ok bool) {
	for _, s := range f.elf.Sections {
		switch {
		case s.Name == ".bolt.hugify.entries":
			return s.Name, true
		case strings.Contains(s.Name, ".bolt.extra"): // some runtime library of BOLT
			if _, ok := f.DataHolds("[hugify]"); ok {
				return s.Name, true
			}
		}
	}
	t, err := f.symbols()
	if err != nil {
		return "", false
	}
	movers := codeMovers()
	for _, s := range t.defined {
		for _, mover := range movers {
			if strings.Contains(s.name, mover) {
				return mover, true
			}
		}
	}
	return "", false
}

// codeMovers are parts of the names of functions that move the code of their program: BOLT,
// ClickHouse (setting remap_executable), HHVM (the default in server mode), Chromium OS, Intel's
// iodlr, and ElfRemapper for MySQL.
//
// Note: Node.js contains MapStaticCodeToLargePages of iodlr and calls it only if an option says so.
func codeMovers() []string {
	return []string{
		"__bolt_hugify_", "remapToHugeStep", "hugifyText", "ReloadElfTextInHugePages", "MapDSOToLargePages", "remap_text_and_data_to_huge_pages",
	}
}
