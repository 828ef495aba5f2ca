package dwarf

// maxPartDepth bounds the structs in structs that Parts looks into.
const maxPartDepth = 3

// Parts returns for each of the values of one function what of it can be recorded: the value itself, or of an aggregate its members, and
// theirs. All of them share one budget; what is beyond it is left out.
func Parts(values []Value) [][]Value {
	list := make([][]Value, len(values))
	w := &walk{define: true, defined: map[dieRef]dieRef{}}
	for i, v := range values {
		w.Info = v.info
		list[i] = w.appendParts(nil, v, 0)
	}
	return list
}

func (w *walk) appendParts(list []Value, v Value, depth int) []Value {
	if v.Kind != Aggregate {
		return append(list, v)
	}
	if v.info == nil || depth == maxPartDepth {
		return list
	}
	t := w.typeOf(v.typ)
	if t.shape != shapeStruct {
		return list
	}
	for _, m := range w.members(t) {
		if len(list) >= maxParams || !w.spend(1) {
			break
		}
		if m.name == "" || m.base {
			continue
		}
		at := memberWalk{walk: w, ref: v.typ, loc: v.loc}
		at.enter(m)
		list = w.appendParts(list, w.newValue(v.Name+"."+m.name, at.ref, at.loc), depth+1)
	}
	return list
}
