package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// checkHeader checks the header before debug/elf reads it. It refuses files of an unsupported kind,
// and files that would cost too much. Layout: System V ABI, chapter 4, Elf64_Ehdr and Elf64_Shdr.
func checkHeader(r io.ReaderAt, size uint64) error {
	var h [64]byte
	n, err := r.ReadAt(h[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read header: %w", err)
	}
	if n < 4 || string(h[:4]) != elf.ELFMAG {
		return ErrNotELF
	}
	if n < len(h) {
		return fmt.Errorf("%w: header cut short", ErrMalformed)
	}
	if c := elf.Class(h[elf.EI_CLASS]); c != elf.ELFCLASS64 {
		return fmt.Errorf("%w: %v, not 64-bit", ErrUnsupported, c)
	}
	if d := elf.Data(h[elf.EI_DATA]); d != elf.ELFDATA2LSB {
		return fmt.Errorf("%w: %v, not little-endian", ErrUnsupported, d)
	}
	le := binary.LittleEndian
	if t := elf.Type(le.Uint16(h[16:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return fmt.Errorf("%w: %v, neither executable nor shared library", ErrUnsupported, t)
	}
	if m := elf.Machine(le.Uint16(h[18:])); m != elf.EM_X86_64 && m != elf.EM_AARCH64 {
		return fmt.Errorf("%w: machine %v", ErrUnsupported, m)
	}
	shoff := le.Uint64(h[40:])
	phentsize, phnum := le.Uint16(h[54:]), le.Uint16(h[56:])
	shentsize, shnum, shstrndx := le.Uint16(h[58:]), le.Uint16(h[60:]), le.Uint16(h[62:])
	switch {
	case phnum == 0:
		return fmt.Errorf("%w: no program headers", ErrUnsupported)
	case phentsize != 56:
		return fmt.Errorf("%w: program header of %d bytes", ErrMalformed, phentsize)
	case phnum > maxSegments:
		return fmt.Errorf("%d program headers: %w", phnum, ErrTooLarge)
	case shoff == 0 && shnum == 0:
		return nil
	case shnum == 0:
		return fmt.Errorf("extended section numbering: %w", ErrTooLarge)
	case shentsize != 64:
		return fmt.Errorf("%w: section header of %d bytes", ErrMalformed, shentsize)
	case shstrndx >= shnum:
		return fmt.Errorf("%w: section name table %d of %d", ErrMalformed, shstrndx, shnum)
	case shoff > size || size-shoff < uint64(shnum)*64:
		return fmt.Errorf("%w: section headers beyond the end of the file", ErrMalformed)
	}

	var s [64]byte
	if _, err := r.ReadAt(s[:], int64(shoff)+int64(shstrndx)*64); err != nil {
		return fmt.Errorf("%w: read section name table: %w", ErrMalformed, err)
	}
	flags, names := elf.SectionFlag(le.Uint64(s[8:])), le.Uint64(s[32:])
	if flags&elf.SHF_COMPRESSED != 0 {
		return fmt.Errorf("%w: compressed section name table", ErrMalformed)
	}
	if names > maxSectionNames || names*uint64(shnum) > maxNameWork {
		return fmt.Errorf("section name table of %d bytes: %w", names, ErrTooLarge)
	}
	return nil
}
