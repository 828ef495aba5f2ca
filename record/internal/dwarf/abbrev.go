package dwarf

import (
	"fmt"

	"utrace/record/internal/cursor"
)

// maxAbbrevs limits the bytes of all abbreviation tables that are read.
const maxAbbrevs = 32 << 20

// maxAttrs limits the attributes of one abbreviation. Compilers use about 20. Attributes without
// bytes (flags, constants in the abbreviation) would make a DIE of one byte arbitrarily expensive.
const maxAttrs = 256

// abbrev is the shape of a debugging information entry (DIE).
type abbrev struct {
	tag      uint64
	children bool
	attrs    []attrForm
}

type attrForm struct {
	attr, form uint16
	implicit   int64 // the value of DW_FORM_implicit_const
}

// abbrevs is one abbreviation table. Compilers number from 1 without gaps; other codes are in
// sparse.
type abbrevs struct {
	dense  []abbrev
	sparse map[uint64]abbrev
}

func (a *abbrevs) find(code uint64) *abbrev {
	if a == nil {
		return nil
	}
	if code-1 < uint64(len(a.dense)) {
		return &a.dense[code-1]
	}
	if ab, ok := a.sparse[code]; ok {
		return &ab
	}
	return nil
}

// abbrevTables are the abbreviation tables of a file that have been read.
type abbrevTables struct {
	tables map[uint64]*abbrevs // by offset; nil for a bad one, which is not read again
	bytes  uint64
}

// at returns the table at offset off of a section, nil if there is none or if too many have been
// read.
func (t *abbrevTables) at(section []byte, off uint64) *abbrevs {
	if table, ok := t.tables[off]; ok {
		return table
	}
	if off >= uint64(len(section)) || t.bytes >= maxAbbrevs {
		return nil
	}
	if t.tables == nil {
		t.tables = map[uint64]*abbrevs{}
	}
	c := &cursor.Cursor{Bytes: section, Off: off}
	table, _ := parseAbbrevs(c, maxAbbrevs-t.bytes)
	t.bytes += c.Off - off
	t.tables[off] = table
	return table
}

// parseAbbrevs reads the table at the cursor (DWARF 5, 7.5.3), at most budget bytes.
func parseAbbrevs(c *cursor.Cursor, budget uint64) (*abbrevs, error) {
	t := &abbrevs{sparse: map[uint64]abbrev{}}
	for start := c.Off; c.Off-start < budget; {
		code := c.Uleb()
		if code == 0 || c.Bad {
			return t, nil
		}
		ab := abbrev{tag: c.Uleb(), children: c.Byte() != 0}
		for c.Off-start < budget && !c.Bad {
			attr, form := c.Uleb(), c.Uleb()
			var implicit int64
			if form == formImplicitConst {
				implicit = c.Sleb()
			}
			if attr == 0 && form == 0 {
				break
			}
			if attr > 0xffff || form > 0xffff {
				return nil, fmt.Errorf("%w: attribute %#x with form %#x", ErrMalformed, attr, form)
			}
			if len(ab.attrs) == maxAttrs {
				return nil, fmt.Errorf("abbreviation with %d attributes: %w", maxAttrs, ErrTooLarge)
			}
			ab.attrs = append(ab.attrs, attrForm{uint16(attr), uint16(form), implicit})
		}
		if code == uint64(len(t.dense))+1 {
			t.dense = append(t.dense, ab)
		} else {
			t.sparse[code] = ab
		}
	}
	return nil, fmt.Errorf("abbreviations: %w", ErrTooLarge)
}
