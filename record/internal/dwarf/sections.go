package dwarf

import (
	"errors"
)

var (
	// ErrNoDWARF means that a file, or one of its functions, has no debugging information: it was
	// compiled without -g, or stripped.
	ErrNoDWARF = errors.New("no DWARF")
	// ErrMalformed means debugging information that contradicts itself or is cut short.
	ErrMalformed = errors.New("malformed DWARF")
	// ErrTooLarge means debugging information beyond the limits of this package.
	ErrTooLarge = errors.New("too large")
)

// Sections are the debugging sections of a file, decompressed. A section that the file lacks is
// empty. Loc, Loclists and Types are needed for signatures only.
type Sections struct {
	Abbrev, Info, Line, Str, LineStr, Addr, StrOffsets, Ranges, Rnglists []byte
	Loc, Loclists, Types                                                 []byte // read for signatures only
}
