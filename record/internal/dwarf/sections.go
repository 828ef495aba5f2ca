package dwarf

import (
	"errors"
)

var (
	// ErrNoDWARF means that a file, or one of its functions, has no debugging information: it was compiled without -g, or stripped of it.
	ErrNoDWARF = errors.New("no DWARF")
	// errDWARF means debugging information that contradicts itself or is cut short.
	ErrMalformed = errors.New("malformed DWARF")
	// errTooLargeDWARF means debugging information beyond the limits of this package.
	ErrTooLarge = errors.New("too large")
)

// dwarfData are the sections, decompressed.
type Sections struct {
	Abbrev, Info, Line, Str, LineStr, Addr, StrOffsets, Ranges, Rnglists []byte
	Loc, Loclists, Types                                                 []byte // read for signatures only
}
