package target

// maxPartDepth bounds the structs in structs that Parts looks into.
const maxPartDepth = 3

// Parts returns what of a value can be recorded: the value itself, or of an aggregate its members, and theirs.
func (v Value) Parts() []Value { return v.parts(0) }

func (v Value) parts(depth int) []Value {
	if v.Kind != Aggregate {
		return []Value{v}
	}
	if v.info == nil || depth == maxPartDepth {
		return nil
	}
	w := &walk{debugInfo: v.info}
	t := w.typeOf(v.typ)
	if t.shape != shapeStruct {
		return nil
	}
	var list []Value
	for _, m := range w.members(t) {
		if m.name == "" || m.base {
			continue
		}
		if part, err := v.Member("." + m.name); err == nil {
			part.Name = v.Name + "." + m.name
			list = append(list, part.parts(depth+1)...)
		}
		if len(list) >= maxParams {
			break
		}
	}
	return list
}
