package dwarf

import (
	"utrace/record/internal/cursor"
)

// Enumerator is a name of an enumeration, and its value. The value equals that of an operand of the
// enumeration: both have its size and its sign.
type Enumerator struct {
	Value int64 // of an unsigned enumeration of 8 bytes, as in int64(v)
	Name  string
}

// enumerators returns the names of an enumeration, in order, and whether its values are signed.
//
//  1. Read the constants. The forms data1 to data8 have no sign.
//  2. Find the sign of the enumeration: the sign of its underlying type, else DW_AT_encoding.
//     Without either, it is signed if the form of a constant is.
//  3. Cut each constant to the size of the enumeration, and extend it by that sign. An operand does
//     the same with the value that it fetches.
//
// Compilers write, in DWARF 2 to 5, for enumerations of 1 to 16 bytes (seen by llvm-dwarfdump -v):
//
//   - GCC 12.2, C and C++, for a number of 0 or above: the shortest of data1 to data8 that holds it
//     without a sign, even if the enumeration is signed. 255 in an int is data1 0xff.
//   - GCC 12.2 for a negative number: sdata.
//   - GCC 12.2 in DWARF 5 for both: implicit_const, where all entries of an abbreviation have the
//     same number.
//   - Clang 19.1 and rustc 1.95: sdata for all constants of a signed enumeration, udata for all of
//     an unsigned one.
//   - Beyond 8 bytes: data16 or block1.
//   - All name the underlying type, except with -gdwarf-2 -gstrict-dwarf. GCC adds DW_AT_encoding,
//     except with -gstrict-dwarf. So the constants decide in strict DWARF 2 only.
func (w *walk) enumerators(t dwarfType) (list []Enumerator, signed bool) {
	signs := false
	w.children(t.die, func(c die) bool {
		value, ok := c.enumeratorValue()
		if ok {
			list = append(list, Enumerator{value, string(c.name)})
			signs = signs || c.signedConst
		}
		return len(list) < maxEnumerators
	})

	encoding := t.encoding
	if under := w.typeOf(t.elem); under.shape == shapeBase {
		encoding = under.encoding
	}
	signed = isSigned(encoding)
	if encoding == 0 {
		signed = signs
	}

	for i := range list {
		list[i].Value = extend(list[i].Value, t.size, signed)
	}
	return list, signed
}

// enumeratorValue returns the constant of an enumerator. ok is false for another DIE, and for a
// constant of more than 8 bytes: no enumeration of that size can be fetched.
func (e *die) enumeratorValue() (value int64, ok bool) {
	n := uint64(len(e.constBlock))
	if e.tag != tagEnumerator || !e.hasConst || n > 8 {
		return 0, false
	}
	if n > 0 {
		c := cursor.Cursor{Bytes: e.constBlock}
		return int64(c.Uint(n)), true
	}
	return e.constant, true
}

// extend cuts a number to size bytes, and fills the rest of the 8 with its sign or with zeros.
func extend(v int64, size uint64, signed bool) int64 {
	if size == 0 || size >= 8 {
		return v
	}
	shift := 64 - 8*size
	if signed {
		return v << shift >> shift
	}
	return int64(uint64(v) << shift >> shift)
}
