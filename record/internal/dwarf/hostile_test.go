package dwarf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"utrace/record/internal/abi"
)

// unitOf returns .debug_info with one version 4 unit of the DIEs.
func unitOf(dies []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(dies)+7))
	b = append(b, 4, 0, 0, 0, 0, 0, 8)
	return append(b, dies...)
}

func TestHostileDWARF(t *testing.T) {
	const subprogram, children = tagSubprogram, 1
	deep := append([]byte{1, tagCompileUnit, children, 0, 0, 2, subprogram, children, 0, 0}, 0)
	backward := []byte{
		1, tagCompileUnit, children, 0, 0,
		2, subprogram, children, attrSibling, formRef1, 0, 0, 0,
	}
	wide := []byte{1, tagCompileUnit, children, 0, 0, 2, subprogram, 0}
	for range maxAttrs - 1 {
		wide = append(wide, attrDeclLine, formImplicitConst, 7)
	}
	wide = append(wide, 0, 0, 0)
	// refers makes abbreviations for a function at an address that refers to another DIE of its
	// unit for its name and line.
	refers := func(form byte) []byte {
		return []byte{
			1, tagCompileUnit, children, 0, 0,
			2, subprogram, 0, attrLowPC, formAddr, attrSpecification, form, 0, 0, 0,
		}
	}
	at := []byte{2, 0, 0x10, 0, 0, 0, 0, 0, 0} // up to the reference
	refTo := func(offsets ...byte) []byte {
		dies := []byte{1}
		for _, o := range offsets {
			dies = append(append(dies, at...), o)
		}
		return unitOf(append(dies, 0))
	}
	indirect := func(n int) []byte { // forms that say that the form follows
		return unitOf(append(append([]byte{1}, at...), bytes.Repeat([]byte{formIndirect}, n)...))
	}
	units := func(unit []byte, n int) []byte { return bytes.Repeat(unit, n) }
	for _, c := range []struct {
		name string
		data Sections
	}{
		{"unit shorter than its header", Sections{Info: []byte{4, 0, 0, 0, 5, 0, 1, 8}, Abbrev: deep}},
		{"nesting", Sections{Info: unitOf(append([]byte{1}, bytes.Repeat([]byte{2}, 20<<20)...)), Abbrev: deep}},
		{"sibling that leads back", Sections{Info: unitOf([]byte{1, 2, 11, 2, 11, 0, 0}), Abbrev: backward}},
		{"a function that refers to itself", Sections{Info: refTo(12), Abbrev: refers(formRef1)}},
		{"functions that refer to each other", Sections{Info: refTo(22, 12), Abbrev: refers(formRef1)}},
		{"a function that refers behind its unit", Sections{Info: refTo(255), Abbrev: refers(formRef1)}},
		{"a form that is indirect, and so on", Sections{Info: indirect(20 << 20), Abbrev: refers(formIndirect)}},
		{"attributes without bytes", Sections{Info: unitOf(append([]byte{1}, bytes.Repeat([]byte{2}, 20<<20)...)), Abbrev: wide}},
		{"many units with one large abbreviation table", Sections{
			Info:   units(unitOf([]byte{1, 0}), 1<<20),
			Abbrev: bytes.Repeat([]byte{1, tagCompileUnit, 0, 0, 0}, 4<<20),
		}},
		{"overlapping line programs", Sections{
			Line: bytes.Repeat([]byte{0x80}, 8<<20), Info: overlapping(100_000),
			Abbrev: []byte{1, tagCompileUnit, 0, attrStmtList, formData4, 0, 0, 0},
		}},
		{"an endless string", Sections{
			Str: bytes.Repeat([]byte{'a'}, 16<<20), Info: units(unitOf([]byte{1, 0, 0, 0, 0}), 100_000),
			Abbrev: []byte{1, tagCompileUnit, 0, attrCompDir, formStrp, 0, 0, 0},
		}},
	} {
		start := time.Now()
		l := NewLines(&c.data, func(abi.Addr) bool { return true })
		l.Func(0x1000)
		search := newInlinedSearch(&c.data, func(string) bool { return true })
		search.run()
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("%s: took %v", c.name, d)
		} else {
			t.Logf("%s: %v", c.name, d)
		}
	}
}

// overlapping returns n units, each with its own offset of a line program.
func overlapping(n int) []byte {
	var out []byte
	for i := range n {
		out = append(out, unitOf(binary.LittleEndian.AppendUint32([]byte{1}, uint32(i)))...)
	}
	return out
}

func TestInlinedIsBounded(t *testing.T) {
	deep := append([]byte{1, tagCompileUnit, 1, 0, 0, 2, tagSubprogram, 1, 0, 0}, 0)
	for _, d := range []*Sections{
		{Info: unitOf(append([]byte{1}, slices.Repeat([]byte{2}, 20<<20)...)), Abbrev: deep},
		{Info: slices.Repeat(unitOf([]byte{1, 0}), 1<<20), Abbrev: slices.Repeat([]byte{1, tagCompileUnit, 0, 0, 0}, 4<<20)},
	} {
		start := time.Now()
		s := newInlinedSearch(d, func(string) bool { return true })
		s.run()
		if took := time.Since(start); took > maxFuzzTime {
			t.Errorf("took %v", took)
		}
	}
}
