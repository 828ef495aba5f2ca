package elffile

import (
	"debug/buildinfo"
	"debug/elf"
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
)

// IsGo reports whether Go's own toolchain linked the file. It looks for the sections that this
// linker makes and strip keeps. Go's runtime moves the stacks of goroutines and inspects every
// return address on them.
func (f *File) IsGo() bool {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo"} {
		if f.elf.Section(name) != nil {
			return true
		}
	}
	return false
}

// GoVersion returns the version of Go that built the file, such as "go1.26.1", "" if the file does
// not say.
func (f *File) GoVersion() (version string) {
	catchPanic(func() error {
		info, err := buildinfo.Read(f.r)
		if err == nil {
			version = info.GoVersion
		}
		return err
	})
	return version
}

// goTable returns Go's function table, with the address from which its functions count. It is nil
// without an error if the file is no Go program.
func (f *File) goTable() (*pclntab, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		s := f.elf.Section(name)
		if s == nil {
			continue
		}
		b, err := f.sectionData(s, maxPclntab)
		if err != nil {
			return nil, err
		}
		t, err := parsePclntab(b)
		if err != nil {
			return nil, err
		}
		if text, ok := f.goText(s.Addr); ok {
			t.text = text
		}
		if t.text == 0 {
			return nil, fmt.Errorf("%w: Go function table without a start of the text", ErrUnsupported)
		}
		return t, nil
	}
	return nil, nil
}

// goSymbols returns the functions of Go's table as symbols, by address.
func (f *File) goSymbols() []symbol {
	t, err := f.goTable()
	if err != nil || t == nil {
		return nil
	}
	var out []symbol
	for _, fn := range t.funcs() {
		addr := t.text + fn.offset
		if room := f.room(abi.Addr(addr)); room > 0 {
			out = append(out, symbol{name: fn.name, addr: addr, size: min(fn.size, room), bind: elf.STB_GLOBAL})
		}
	}
	return out
}

// goLines returns the source lines of the functions in Go's table.
func (f *File) goLines() (*dwarf.Lines, error) {
	t, err := f.goTable()
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, dwarf.ErrNoDWARF
	}
	return dwarf.DeclarationLines(func(yield func(dwarf.Declaration) bool) {
		for _, fn := range t.funcs() {
			if !yield(dwarf.Declaration{Addr: abi.Addr(t.text + fn.offset), File: fn.file, Line: fn.line}) {
				return
			}
		}
	}), nil
}
