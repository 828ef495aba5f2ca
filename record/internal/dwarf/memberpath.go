package dwarf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"utrace/record/internal/suggest"
)

// ErrMember means that a value has no such member.
var ErrMember = errors.New("no such member")

const (
	maxPath       = 256 // bytes
	maxNamesShown = 16
)

// Member returns a part of a value. path is written as in C: "->path", ".b[2]", "->a->b.c[3]". A
// leading "*" follows the pointer that the rest of the path leads to. Like Go and Rust, "." also
// follows a pointer. The error is ErrMember. It names the member that does not exist, and the
// existing ones.
func (v Value) Member(path string) (Value, error) {
	if v.info == nil || len(path) > maxPath {
		return Value{}, fmt.Errorf("%s: %w", path, ErrMember)
	}
	w := &walk{Info: v.info, define: true, defined: map[dieRef]dieRef{}}
	m := memberWalk{walk: w, ref: v.typ, loc: v.loc, name: v.Name}
	rest := strings.TrimLeft(path, "*")
	stars := len(path) - len(rest)
	for rest != "" {
		var err error
		if rest, err = m.step(rest); err != nil {
			return Value{}, err
		}
	}

	for range stars {
		if err := m.follow(); err != nil {
			return Value{}, err
		}
		m.name = "*" + m.name
	}

	if w.spent > maxWalk {
		return Value{}, fmt.Errorf("%s: %w: the types are too large", path, ErrMember)
	}
	return w.newValue(m.name, m.ref, m.loc), nil
}

// memberWalk is where a path has led to so far.
type memberWalk struct {
	*walk
	ref  typeRef
	loc  location
	name string
}

// step follows the first part of a path and returns the rest.
func (m *memberWalk) step(path string) (string, error) {
	switch {
	case strings.HasPrefix(path, "->"), strings.HasPrefix(path, "."):
		arrow := path[0] == '-'
		path = strings.TrimPrefix(strings.TrimPrefix(path, "->"), ".")
		end := strings.IndexAny(path, ".-[")
		if end < 0 {
			end = len(path)
		}
		name := path[:end]
		t := m.typeOf(m.ref)
		switch pointer := t.shape == shapePointer || t.shape == shapeReference; {
		case pointer:
			if err := m.follow(); err != nil {
				return "", err
			}
		case arrow:
			return "", fmt.Errorf("%w: %s is no pointer: write %s.%s", ErrMember, m.name, m.name, name)
		}
		separator := "."
		if arrow {
			separator = "->"
		}
		if err := m.member(name); err != nil {
			return "", err
		}
		m.name += separator + name
		return path[end:], nil
	case strings.HasPrefix(path, "["):
		index, rest, ok := strings.Cut(path[1:], "]")
		n, err := strconv.ParseUint(index, 0, 32)
		if !ok || err != nil {
			return "", fmt.Errorf("%w: %q: a number in brackets is expected", ErrMember, path)
		}
		if err := m.index(n); err != nil {
			return "", err
		}
		m.name += "[" + index + "]"
		return rest, nil
	}
	return "", fmt.Errorf("%w: %q: ->MEMBER, .MEMBER or [NUMBER] is expected", ErrMember, path)
}

// follow goes to the target of a pointer. A reference is taken for its target.
func (m *memberWalk) follow() error {
	t := m.typeOf(m.ref)
	if to := m.typeOf(t.elem); t.shape == shapeReference && to.shape == shapePointer {
		m.toMemory(t.elem, 8, 0)
		t = to
	}
	if t.shape != shapePointer && t.shape != shapeReference {
		return fmt.Errorf("%w: %s is no pointer, but %s", ErrMember, m.name, m.typeName(m.ref))
	}
	to := m.typeOf(t.elem)
	if to.shape == shapeVoid {
		return fmt.Errorf("%w: %s is %s: what it points to has no type", ErrMember, m.name, m.typeName(m.ref))
	}
	m.toMemory(t.elem, to.size, 0)
	return nil
}

// toMemory goes to a value at an offset from the target of the pointer that m.loc begins with.
func (m *memberWalk) toMemory(ref typeRef, size uint64, off int64) {
	m.ref = ref
	address, why := m.loc.number(0)
	if why != "" {
		m.loc = missing(size, why)
		return
	}
	m.loc = inMemory(size, address.plus(off))
}

// index goes to an element of an array, of a slice, or of the array that a pointer leads to.
func (m *memberWalk) index(n uint64) error {
	t := m.typeOf(m.ref)
	if t.shape == shapeReference {
		to := m.typeOf(t.elem)
		m.toMemory(t.elem, to.size, 0)
		t = to
	}
	size := m.typeOf(t.elem).size
	switch {
	case t.shape == shapeArray:
		if t.count != 0 && n >= t.count {
			return fmt.Errorf("%w: %s has %d elements, from [0] to [%d]", ErrMember, m.name, t.count, t.count-1)
		}
		m.ref, m.loc = t.elem, m.loc.sub(mulSize(n, size), size)
		return nil
	case t.shape == shapePointer && size > 0:
		m.toMemory(t.elem, size, int64(mulSize(n, size)))
		return nil
	case t.shape == shapeStruct:
		for _, name := range []string{"array", "data_ptr"} {
			data, ok := m.memberNamed(t, name)
			if elem := m.typeOf(data.typ).elem; ok && elem.unit != nil {
				m.loc = m.loc.sub(data.off, 8)
				size := m.typeOf(elem).size
				m.toMemory(elem, size, int64(mulSize(n, size)))
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %s is neither an array nor a pointer to elements, but %s", ErrMember, m.name, m.typeName(m.ref))
}

// member goes to a member of a struct, by name.
func (m *memberWalk) member(name string) error {
	t := m.typeOf(m.ref)
	if t.shape != shapeStruct {
		why := "is " + m.typeName(m.ref) + ", which has no members"
		if t.why != "" {
			why = "has no known members: " + t.why
		}
		return fmt.Errorf("%w %q: %s %s", ErrMember, name, m.name, why)
	}

	if name == "" {
		return fmt.Errorf("%w: the name of a member of %s is expected", ErrMember, m.typeName(m.ref))
	}
	f := memberFinder{walk: m.walk, name: name}
	found, ok := f.find(t, 0, 0)
	if !ok && name[0] >= '0' && name[0] <= '9' { // of a Rust tuple
		f.name = "__" + name
		found, ok = f.find(t, 0, 0)
	}
	if !ok {
		list := f.names[:min(len(f.names), maxNamesShown)]
		more := ""
		if len(f.names) > len(list) {
			more = ", …"
		}
		if len(list) == 0 {
			return fmt.Errorf("%w: %s has no member %q, nor any other that is known", ErrMember, m.typeName(m.ref), name)
		}
		return fmt.Errorf("%w: %s has no member %q%s; it has %s%s", ErrMember, m.typeName(m.ref), name, suggest.Nearest(name, f.names), strings.Join(list, ", "), more)
	}

	m.enter(found)
	return nil
}

// enter goes to a member that has been found.
func (m *memberWalk) enter(found member) {
	switch {
	case found.computed:
		m.loc = missing(1, "where it is depends on the object (a virtual base class)")
	case found.bits != 0:
		m.loc = missing(1, "it is a bit field")
	case found.outside:
		m.loc = missing(1, whyOutside)
	default:
		m.loc = m.loc.sub(found.off, m.typeOf(found.typ).size)
	}
	m.ref = found.typ
}

// memberFinder looks for a member in a struct, its unnamed parts and base classes, and collects the
// names that exist.
type memberFinder struct {
	*walk
	name  string
	names []string
}

// find looks in t, which is at an offset in the struct. It looks at its own members first, since
// they hide those of base classes.
func (f *memberFinder) find(t dwarfType, off uint64, depth int) (member, bool) {
	list := f.members(t)
	for _, m := range list {
		if m.name == f.name && m.name != "" && !(m.base && m.typ.unit == nil) {
			m.off += off
			return m, true
		}
		if m.name != "" && len(f.names) < maxMembers {
			f.names = append(f.names, m.name)
		}
	}

	if depth == maxTypeDepth {
		return member{}, false
	}
	for _, m := range list {
		if m.name != "" && !m.base || !f.spend(1) {
			continue
		}
		inner := f.typeOf(m.typ)
		if inner.shape != shapeStruct { // an embedded pointer of Go is not followed
			continue
		}
		if found, ok := f.find(inner, off+m.off, depth+1); ok {
			found.computed = found.computed || m.computed
			return found, true
		}
	}
	return member{}, false
}

// Find returns a parameter by name. The error is ErrMember. It suggests the nearest name.
func (s *Signature) Find(name string) (Value, error) {
	names := make([]string, 0, len(s.Params))
	for _, p := range s.Params {
		if p.Name == name && name != "" {
			return p, nil
		}
		if p.Name != "" {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return Value{}, fmt.Errorf("%w: the function has no parameter with a name", ErrMember)
	}
	return Value{}, fmt.Errorf("%w: no parameter is called %q%s; there are %s", ErrMember, name, suggest.Nearest(name, names), strings.Join(names, ", "))
}
