package dwarf

import (
	"strings"

	"utrace/record/internal/cursor"
)

const (
	maxDefinitions     = 1 << 20
	maxDefinitionBytes = 64 << 20 // of all names of definitions
	maxQualifiedName   = 4096     // bytes of one name with those around it
	maxScopes          = 32       // namespaces and classes around a type
	maxSearches        = 64       // for definitions, for one question; each may read a whole unit
)

// definitionKey names a type of C or C++, with the namespaces and classes around it, and says what
// kind of type it is.
type definitionKey struct {
	tag  uint64
	name string
}

// scopeWalk walks the DIEs of a unit in order, and knows the names around each.
type scopeWalk struct {
	*Info
	unit  *infoUnit
	names []string // around the DIE at hand, "" for one without a name
}

// run calls fn for each DIE of a unit until it returns false. e reads the DIE.
func (s *scopeWalk) run(fn func(off uint64, ab *abbrev, e func() die) bool) {
	u := s.unit
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: u.firstDIE}
	attrs := uint64(0)
	depth := 0
	for c.Left() > 0 {
		at := c.Off
		code := c.Uleb()
		if code == 0 {
			if depth--; depth <= 0 {
				return
			}
			s.names = s.names[:min(len(s.names), depth)]
			continue
		}
		ab := u.table.find(code)
		if attrs += 1; ab == nil || attrs > maxDensity*(u.end-u.start)+1024 {
			return
		}
		read := func() die {
			e, _ := s.readDIE(dieRef{u, at})
			return e
		}
		if !fn(at, ab, read) {
			return
		}
		for _, a := range ab.attrs {
			u.value(&c, a)
			attrs++
		}
		if c.Bad {
			return
		}
		if ab.children {
			if depth++; len(s.names) < maxScopes && len(s.names) == depth-1 {
				name := ""
				if entered(ab.tag) && depth > 1 {
					name = string(read().name)
				}
				s.names = append(s.names, name)
			}
		}
	}
}

// qualified puts the names around a type before its own. It returns "" if the result is too long.
func (s *scopeWalk) qualified(name string) string {
	n := len(name)
	for _, around := range s.names {
		n += len(around) + len("::")
	}
	if n > maxQualifiedName {
		return ""
	}
	var b strings.Builder
	for _, around := range s.names {
		if around != "" {
			b.WriteString(around + "::")
		}
	}
	return b.String() + name
}

// readDefinitions walks all units and notes the types that are defined. It runs once, for the first
// type that is only declared where it is used.
func (d *Info) readDefinitions() map[definitionKey]dieRef {
	found := map[definitionKey]dieRef{}
	bytes := 0
	for _, u := range d.units {
		if !isC(u.language) && !isCPlusPlus(u.language) || len(found) >= maxDefinitions {
			continue
		}
		s := scopeWalk{Info: d, unit: u}
		s.run(func(off uint64, ab *abbrev, e func() die) bool {
			switch ab.tag {
			case tagStructure, tagClass, tagUnion, tagEnumerationType:
				if def := e(); !def.declaration && len(def.name) > 0 && len(found) < maxDefinitions {
					key := definitionKey{sameTag(ab.tag), s.qualified(string(def.name))}
					_, seen := found[key]
					if n := bytes + len(key.name); !seen && key.name != "" && n <= maxDefinitionBytes {
						found[key], bytes = def.dieRef, n
					}
				}
			}
			return true
		})
	}
	return found
}

// sameTag returns one tag for class and struct, since C++ lets one be declared as the other.
func sameTag(tag uint64) uint64 {
	if tag == tagStructure {
		return tagClass
	}
	return tag
}

// qualifiedName returns the name of a type with the names around it, "" if it is too long.
func (d *Info) qualifiedName(e die) string {
	name := string(e.name)
	s := scopeWalk{Info: d, unit: e.unit}
	s.run(func(off uint64, _ *abbrev, _ func() die) bool {
		if off == e.off {
			name = s.qualified(name)
		}
		return off < e.off
	})
	return name
}

// definition returns the definition, in any unit, of a type that is only declared. It looks for it
// only with w.define.
func (w *walk) definition(e die) (dieRef, bool) {
	if !w.define || len(e.name) == 0 || !isC(e.unit.language) && !isCPlusPlus(e.unit.language) {
		return dieRef{}, false
	}
	def, seen := w.defined[e.dieRef]
	if !seen {
		if len(w.defined) == maxSearches {
			return dieRef{}, false
		}
		def = w.definitions()[definitionKey{sameTag(e.tag), w.qualifiedName(e)}]
		w.defined[e.dieRef] = def
	}
	return def, def.unit != nil && def != e.dieRef
}
