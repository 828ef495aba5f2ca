package elffile

import (
	"debug/elf"
	"errors"
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
)

// maxDWARF limits the bytes of debugging information that are read, all sections together,
// decompressed.
const maxDWARF = 1 << 30

// DebugInfo returns the debugging information of the file or of its separate debug file. It is read
// at the first call. The error is dwarf.ErrNoDWARF, ErrMalformed or ErrTooLarge.
func (f *File) DebugInfo() (*dwarf.Info, error) { return f.types() }

// DebugInfoSize returns the bytes of the debugging information about functions and types, in the file
// or in its separate debug file, decompressed.
func (f *File) DebugInfoSize() uint64 {
	from := f
	if !f.hasDWARF() {
		from = f.debug()
	}
	if from == nil || !from.hasDWARF() {
		return 0
	}
	return from.elf.Section(".debug_info").Size
}

func (f *File) readDebugInfo() (*dwarf.Info, error) {
	from := f
	if !f.hasDWARF() {
		if from = f.debug(); from == nil || !from.hasDWARF() {
			return nil, fmt.Errorf("%s: %w", f.Path, dwarf.ErrNoDWARF)
		}
	}
	data, err := from.readDWARF()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from.Path, err)
	}
	for _, section := range []struct {
		name string
		to   *[]byte
	}{{".debug_loc", &data.Loc}, {".debug_loclists", &data.Loclists}, {".debug_types", &data.Types}} {
		s := from.elf.Section(section.name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if *section.to, err = from.sectionData(s, maxDWARF); err != nil {
			return nil, fmt.Errorf("%s: %w", from.Path, err)
		}
	}

	data.Line = nil // not needed for types
	return dwarf.New(data, f.Machine), nil
}

// Signature finds the parameters and results of fn, and where they are: see dwarf.Info.Signature.
// The error is dwarf.ErrNoDWARF if the file or this function has no debugging information. Other
// errors are those of DebugInfo, dwarf.ErrMalformed and dwarf.ErrTooLarge.
func (f *File) Signature(fn Func, at abi.Addr) (*dwarf.Signature, error) {
	d, err := f.types()
	if err != nil {
		return nil, err
	}
	s, err := d.Signature(dwarf.Function{Addr: fn.Addr, Name: fn.Name, Aliases: fn.Aliases}, at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return s, nil
}

// Lines reads where the functions of the file are declared, from the file or its separate debug
// file, in a single pass. For a Go program without DWARF it reads Go's table for stack traces. The
// error is dwarf.ErrNoDWARF, ErrMalformed, or ErrTooLarge if the information takes more than 1 GiB.
func (f *File) Lines() (*dwarf.Lines, error) {
	d, err := f.dwarf()
	if errors.Is(err, dwarf.ErrNoDWARF) && f.IsGo() {
		return f.goLines()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return dwarf.NewLines(d, func(a abi.Addr) bool {
		_, ok := f.FileOff(a)
		return ok
	}), nil
}

// Inlined finds inlined functions whose name satisfies match: see dwarf.FindInlined. The errors are
// those of Lines.
func (f *File) Inlined(match func(name string) bool) (dwarf.Inlined, bool, error) {
	d, err := f.dwarf()
	if err != nil {
		return dwarf.Inlined{}, false, err
	}
	in, ok := dwarf.FindInlined(d, match, func(a abi.Addr) (string, bool) {
		fn, ok := f.FuncAt(a)
		return fn.Name, ok
	})
	return in, ok, nil
}

// dwarf reads the debugging sections of the file, or those of its separate debug file if it has
// none.
func (f *File) dwarf() (*dwarf.Sections, error) {
	d, err := f.readDWARF()
	if errors.Is(err, dwarf.ErrNoDWARF) {
		if from := f.debug(); from != nil {
			return from.readDWARF()
		}
	}
	return d, err
}

func (f *File) readDWARF() (*dwarf.Sections, error) {
	d := &dwarf.Sections{}
	left := uint64(maxDWARF)
	for _, section := range []struct {
		name string
		to   *[]byte
	}{
		{".debug_abbrev", &d.Abbrev}, {".debug_info", &d.Info}, {".debug_line", &d.Line}, {".debug_str", &d.Str},
		{".debug_line_str", &d.LineStr}, {".debug_addr", &d.Addr}, {".debug_str_offsets", &d.StrOffsets},
		{".debug_ranges", &d.Ranges}, {".debug_rnglists", &d.Rnglists},
	} {
		s := f.elf.Section(section.name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		b, err := f.sectionData(s, left)
		if err != nil {
			return nil, err
		}
		*section.to = b
		left -= uint64(len(b))
	}

	if len(d.Info) == 0 && len(d.Line) == 0 {
		return nil, dwarf.ErrNoDWARF
	}
	return d, nil
}
