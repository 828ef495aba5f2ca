package dwarf

import (
	"fmt"

	"utrace/record/internal/abi"
)

// CompareConvention compares two locations of each of a function's parameters: by its calling
// convention, and by what the compiler says of its entry. It returns how many are the same, how
// many only the compiler knows, and which differ.
func (d *Info) CompareConvention(fn Function) (same, unknown int, differ []string) {
	found, _ := d.functionDIEs(fn.Addr)
	if len(found) == 0 {
		return 0, 0, nil
	}
	w := &walk{Info: d}
	e, ok := w.chooseDIE(found, fn)
	if !ok {
		return 0, 0, nil
	}
	function := w.readFunction(e, fn.Name)
	conv := w.convention(function)
	if conv.why != "" || w.whyNotConventional(function, fn) != "" {
		return 0, 0, nil
	}
	places, _ := conv.assign(function)
	for i, p := range function.params {
		size := w.typeOf(p.typ).size
		where, exact := w.entryLocation(function, p, size, fn, fn.Addr)
		if p.entry.hasConst && !p.entry.hasLocation || len(where) == 0 || size == 0 || !exact {
			continue
		}
		for off := uint64(0); off < size && off < 32; off += 8 {
			n := uint64(8)
			for off+n > size {
				n /= 2
			}
			want, why := where.operand(off, n, false)
			if why != "" {
				continue
			}
			got, why := places[i].operand(off, n, false)
			switch {
			case why != "":
				unknown++
			case fmt.Sprint(got) == fmt.Sprint(want):
				same++
			case want.Kind == abi.Constant || want.Kind == abi.AddressOf && want.Relative: // known without being passed
			default:
				differ = append(differ, fmt.Sprintf("%s %s +%d (%s): %d %d %d %v, want %d %d %d %v", fn.Name, p.name, off, w.typeName(p.typ), got.Kind, got.Base, got.Disp, got.Derefs, want.Kind, want.Base, want.Disp, want.Derefs))
			}
		}
	}
	return same, unknown, differ
}

// Declared reports whether the debugging information has the line that declares the function at an
// address.
func (l *Lines) Declared(a abi.Addr) bool { return l.decls[a].line != 0 }
