package dwarf

import (
	"strings"
)

// typeName writes a type as its language does.
func (w *walk) typeName(ref typeRef) string {
	name := w.writeType(ref, 0)
	if len(name) > maxTypeName {
		return name[:maxTypeName-3] + "..."
	}
	return name
}

func (w *walk) writeType(ref typeRef, depth int) string {
	if ref.unit == nil {
		return "void"
	}
	e, ok := w.readDIE(ref.dieRef)
	if !ok || depth == maxTypeDepth || !w.spend(1) {
		return "?"
	}
	if e.classSignature && e.origin.unit != nil {
		return w.writeType(typeRef{dieRef: e.origin}, depth+1)
	}
	inner := func() string { return w.writeType(typeRef{dieRef: e.typ}, depth+1) }
	star := func(mark string) string {
		to := inner()
		if strings.HasSuffix(to, ")") { // of a function
			return to
		}
		if !strings.HasSuffix(to, "*") && !strings.HasSuffix(to, "&") {
			to += " "
		}
		return to + mark
	}

	name := string(e.name)
	if len(name) > maxTypeName {
		name = name[:maxTypeName]
	}
	c := isC(e.unit.language)
	switch e.tag {
	case tagConstType, tagVolatileType, tagRestrictType, tagAtomicType:
		word := map[uint64]string{tagConstType: "const", tagVolatileType: "volatile", tagRestrictType: "restrict", tagAtomicType: "_Atomic"}[e.tag]
		to := inner()
		if strings.HasSuffix(to, "*") {
			return to + " " + word
		}
		return word + " " + to
	case tagArrayType:
		if name != "" {
			return name
		}
		t := w.bareType(e, ref.dims)
		return w.writeType(typeRef{dieRef: e.typ}, depth+1) + "[" + decimal(t.count) + "]"
	case tagSubroutineType:
		if name != "" {
			return name
		}
		return inner() + " (*)()"
	}

	if name == "" {
		switch e.tag {
		case tagPointerType:
			return star("*")
		case tagReferenceType:
			return star("&")
		case tagRvalueReference:
			return star("&&")
		case tagPtrToMember:
			return inner() + " (*)"
		}
		name = "{...}"
	}

	if c {
		switch e.tag {
		case tagStructure:
			return "struct " + name
		case tagUnion:
			return "union " + name
		case tagEnumerationType:
			return "enum " + name
		}
	}
	return name
}
