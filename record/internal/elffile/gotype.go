package elffile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// ErrNoGoType means that there is no Go type at an address.
var ErrNoGoType = errors.New("no Go type")

const maxGoTypeName = 1024

// goTypes is where a Go program keeps the descriptions of its types and their names: addresses from
// start up to end.
type goTypes struct{ start, end uint64 }

// GoTypeName returns the name of the type that a Go program describes at addr, as reflect prints
// it: "*main.failure". The type word of an interface is such an address. The error is ErrNoGoType
// if there is no description, as for types that a program makes while it runs.
//
// A description (internal/abi/type.go) has flags in byte 20. The 4 bytes from byte 40 locate its
// name, counted from the start of all types. The name has a byte of flags, its length (a varint
// since Go 1.17) and its bytes. If a flag is set, the name has a star too many, because the pointer
// to the type uses the same name.
func (f *File) GoTypeName(addr abi.Addr) (string, error) {
	const flags, name, size, extraStar = 20, 40, 48, 2
	all, err := f.goTypes()
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.Path, err)
	}
	problem := fmt.Errorf("%s: %w at %#x", f.Path, ErrNoGoType, uint64(addr))
	desc := f.goTypeBytes(all, uint64(addr), size)
	if len(desc) < size {
		return "", problem
	}
	at := uint64(binary.LittleEndian.Uint32(desc[name:]))
	c := cursor.Cursor{Bytes: f.goTypeBytes(all, all.start+at, 1+binary.MaxVarintLen32+maxGoTypeName)}
	c.Skip(1)
	n := c.Uleb()
	start := c.Off
	if c.Skip(n); at == 0 || c.Bad || n == 0 || n > maxGoTypeName {
		return "", problem
	}
	text := string(c.Bytes[start:c.Off])
	if desc[flags]&extraStar != 0 && text[0] == '*' {
		text = text[1:]
	}
	return text, nil
}

// goTypeBytes reads n bytes at an address among the types, fewer at their end.
func (f *File) goTypeBytes(all goTypes, addr, n uint64) []byte {
	off, ok := f.loadedOff(addr)
	if !ok || addr < all.start || addr >= all.end {
		return nil
	}
	return f.readAt(off, min(n, all.end-addr))
}

// readGoTypes finds the types through the description of the module, which stripping keeps.
func (f *File) readGoTypes() (goTypes, error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		s := f.elf.Section(name)
		if s == nil {
			continue
		}
		word, ok := f.goModule(s.Addr)
		off, loaded := f.loadedOff(s.Addr)
		head := f.readAt(off, 4)
		if !ok || !loaded || len(head) < 4 {
			break
		}
		first := uint64(goModuleTypes120)
		if binary.LittleEndian.Uint32(head) == pclnMagic118 {
			first = goModuleTypes118
		}
		types := goTypes{word(first), word(first + 1)}
		if _, ok := f.loadedOff(types.start); !ok || types.end <= types.start {
			break
		}
		return types, nil
	}
	return goTypes{}, fmt.Errorf("%w: this program does not say where its types are", ErrNoGoType)
}
