package dwarf

import (
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Inlined is a function that the compiler has inlined into others.
type Inlined struct {
	Name string   // the linkage name if there is one, else the name in the source
	In   []string // symbols of functions with a copy, sorted; at most maxInlinedIn
	More int      // further functions with a copy
	Own  bool     // it also exists by itself, perhaps under another name
}

// Limits on one search.
const (
	maxInlined   = 10_000 // DIEs of the function
	maxInlinedIn = 100
)

// inlinedSearch walks all DIEs. It has the abbreviations and limits of linesBuilder.
type inlinedSearch struct {
	linesBuilder
	match   func(string) bool
	names   map[string]bool // answers of match
	dies    map[uint64]bool // by offset: DIEs of the function
	name    string
	in      map[abi.Addr]bool // where the functions with copies begin
	inlined bool              // there is a copy, or DW_AT_inline says so
	own     bool
}

// FindInlined finds inlined functions whose name satisfies match: the name in the source, or of the
// symbol that they would have. functionAt gives the name of the function at an address. Several
// functions with a matching name are one Inlined. The result is false if no function matches.
//
// FindInlined reads all DIEs, which takes long. Use it for names that the symbols do not have.
//
//  1. Collect the subprograms with a matching name and the DIEs that refer to one: the definition
//     of a member function, the abstract instance, other instances. Most references lead backwards,
//     so the units are read again until nothing new turns up, but at most twice.
//  2. Note which of them have code of their own, and which functions contain copies
//     (DW_TAG_inlined_subroutine).
func FindInlined(d *Sections, match func(name string) bool, functionAt func(abi.Addr) (string, bool)) (Inlined, bool) {
	s := newInlinedSearch(d, match)
	for range 2 {
		before := len(s.dies)
		s.run()
		if len(s.dies) == before {
			break
		}
	}

	if !s.inlined {
		return Inlined{}, false
	}
	out := Inlined{Name: s.name, Own: s.own}
	for a := range s.in {
		if name, ok := functionAt(a); ok && !slices.Contains(out.In, name) {
			out.In = append(out.In, name)
		}
	}
	slices.Sort(out.In)
	if n := len(out.In); n > maxInlinedIn {
		out.In, out.More = out.In[:maxInlinedIn], n-maxInlinedIn
	}
	return out, true
}

// newInlinedSearch prepares a search: call run.
func newInlinedSearch(d *Sections, match func(name string) bool) *inlinedSearch {
	s := &inlinedSearch{match: match, dies: map[uint64]bool{}, names: map[string]bool{}, in: map[abi.Addr]bool{}}
	s.Lines = &Lines{data: d}
	return s
}

// run reads all units once.
func (s *inlinedSearch) run() {
	s.attrs = 0
	c := &cursor.Cursor{Bytes: s.data.Info}
	for units := 0; c.Left() > 0 && units < maxUnits; units++ {
		u, abbrevOff, types, err := parseUnit(c)
		if err != nil {
			return
		}
		if !types {
			s.readUnit(&cursor.Cursor{Bytes: c.Bytes[:u.end], Off: c.Off}, u, abbrevOff)
		}
		c.Off = u.end
	}
}

// readUnit walks the DIEs of a unit. While it is at DIEs in a function with code, function is the
// address of that code and inside the depth of its DIE.
func (s *inlinedSearch) readUnit(c *cursor.Cursor, u unit, abbrevOff uint64) {
	table := s.abbrevs.at(s.data.Abbrev, abbrevOff)
	if table == nil {
		return
	}
	s.unit = u
	depth, inside := 0, 0
	function := abi.Addr(0)
	for c.Left() > 0 {
		at := c.Off
		code := c.Uleb()
		if code == 0 {
			if depth--; depth <= 0 {
				return
			}
			if depth <= inside {
				function, inside = 0, 0
			}
			continue
		}
		ab := table.find(code)
		if ab == nil || c.Bad || s.attrs > maxDensity*uint64(len(s.data.Info))+1024 {
			return
		}
		s.attrs += uint64(len(ab.attrs)) + 1
		switch {
		case depth == 0:
			s.readBases(c, ab)
		case ab.tag == tagSubprogram:
			if a := s.readSubprogram(c, ab, at); a != 0 && function == 0 {
				function, inside = a, depth
			}
		case ab.tag == tagInlinedSubroutine:
			for _, a := range ab.attrs {
				v := s.unit.value(c, a)
				if a.attr == attrAbstractOrigin && refersInside(a) && s.dies[v] {
					s.inlined = true
					if function != 0 {
						s.in[function] = true
					}
				}
			}
		default:
			for _, a := range ab.attrs {
				s.unit.value(c, a)
			}
		}
		if c.Bad || !ab.children && depth == 0 {
			return
		}
		if ab.children {
			depth++
		} else if function != 0 && depth == inside {
			function, inside = 0, 0
		}
	}
}

// readBases reads the attributes of a unit's first DIE that indexed strings and addresses need.
func (s *inlinedSearch) readBases(c *cursor.Cursor, ab *abbrev) {
	for _, a := range ab.attrs {
		v := s.unit.value(c, a)
		if s.unit.setBase(a.attr, v); a.attr == attrLowPC && a.form == formAddr {
			s.unit.lowPC = v
		}
	}
}

// readSubprogram notes the DIE at offset at if it is one of the function. It returns the address
// where its code begins, 0 if it has none.
func (s *inlinedSearch) readSubprogram(c *cursor.Cursor, ab *abbrev, at uint64) abi.Addr {
	var starts []uint64
	found, inline := s.dies[at], false
	name, linkage := "", ""
	for _, a := range ab.attrs {
		switch a.attr {
		case attrName:
			name = string(s.unit.text(c, a, s.data))
		case attrLinkageName, attrMIPSLinkageName:
			linkage = string(s.unit.text(c, a, s.data))
		case attrInline: // 1 and 3: it is inlined
			inline = s.unit.value(c, a)&1 != 0
		case attrLowPC:
			if addr, ok := s.unit.address(c, a, s.data); ok {
				starts = append(starts, addr)
			}
		case attrRanges:
			v := s.unit.value(c, a)
			starts = s.unit.rangeStarts(s.data, uint64(a.form), v, starts)
		case attrAbstractOrigin, attrSpecification:
			if v := s.unit.value(c, a); refersInside(a) && s.dies[v] {
				found = true
			}
		default:
			s.unit.value(c, a)
		}
	}

	found = found || s.matches(linkage) || s.matches(name)
	start := abi.Addr(0)
	if len(starts) > 0 {
		start = abi.Addr(starts[0])
	}
	if !found || len(s.dies) > maxInlined {
		return start
	}
	s.dies[at] = true
	s.inlined = s.inlined || inline
	s.own = s.own || start != 0
	if s.name == "" {
		if s.name = linkage; s.name == "" {
			s.name = name
		}
	}
	return start
}

// refersInside reports whether a reference is to a DIE of the same file.
func refersInside(a attrForm) bool {
	return a.form != formGNURefAlt && a.form != formRefSup4 && a.form != formRefSup8
}

// maxNamesAsked limits the names whose answer is remembered.
const maxNamesAsked = 1 << 20

// matches is match, with the answers remembered.
func (s *inlinedSearch) matches(name string) bool {
	if name == "" {
		return false
	}
	if answer, ok := s.names[name]; ok {
		return answer
	}
	answer := s.match(name)
	if len(s.names) < maxNamesAsked {
		s.names[name] = answer
	}
	return answer
}
