package dwarf

import (
	"fmt"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Signature has the parameters and results of a function, and where they are.
type Signature struct {
	Params  []Value // in order, including `this` and the like
	Results []Value // at most one, except in Go
	Source  string  // where the locations come from, for messages: "System V calling convention", "location lists", …
}

// Function is a function as the symbols of a file have it.
type Function struct {
	Addr    abi.Addr
	Name    string
	Aliases []string // other names
}

// Signature finds the parameters and results of fn, and where they are. Locations of parameters
// hold at `at`, an address near the beginning of the function. There, the argument registers and
// the stack pointer must be unchanged since the entry. Locations of results hold at the moment of
// the return, in Go at a RET instruction. The error is ErrNoDWARF if this function has no debugging
// information, else ErrMalformed or ErrTooLarge.
//
//  1. Find the DIE of the function and the DIEs that it refers to, which have names and types.
//  2. A location list that covers the entry gives the location of a parameter.
//  3. Otherwise the calling convention does (assignment.go), unless the compiler may have changed
//     it for this function.
func (d *Info) Signature(fn Function, at abi.Addr) (*Signature, error) {
	found, dwo := d.functionDIEs(fn.Addr)
	if len(found) == 0 {
		if dwo != "" {
			return nil, fmt.Errorf("%w: that of %s is in %s, which is not read", ErrNoDWARF, fn.Name, dwo)
		}
		return nil, fmt.Errorf("%w of %s", ErrNoDWARF, fn.Name)
	}
	w := &walk{Info: d}
	e, ok := w.chooseDIE(found, fn)
	if !ok {
		return nil, fmt.Errorf("%w of %s", ErrMalformed, fn.Name)
	}
	function := w.readFunction(e, fn.Name)
	s := w.locate(function, fn, at)
	if w.spent > maxWalk {
		return nil, fmt.Errorf("debugging information of %s: %w", fn.Name, ErrTooLarge)
	}
	return s, nil
}

// chooseDIE returns the DIE with the name of the function: the linker may have merged several
// functions of the same code.
func (w *walk) chooseDIE(found []dieRef, fn Function) (die, bool) {
	var first die
	for i, ref := range found {
		e, ok := w.readDIE(ref)
		if !ok {
			continue
		}
		if first.unit == nil {
			first = e
		}
		if len(found) == 1 || i > 8 {
			break
		}
		for _, o := range w.origins(e) {
			for _, name := range [][]byte{o.linkage, o.name} {
				if len(name) > 0 && (string(name) == fn.Name || slices.Contains(fn.Aliases, string(name))) {
					return e, true
				}
			}
		}
	}
	return first, first.unit != nil
}

// origins returns a DIE and the DIEs that it refers to: the abstract instance, the declaration in a
// class.
func (w *walk) origins(e die) []die {
	list := []die{e}
	for len(list) < 4 && e.origin.unit != nil {
		next, ok := w.readDIE(e.origin)
		if !ok {
			break
		}
		list = append(list, next)
		e = next
	}
	return list
}

// locate finds where the parameters and results are.
func (w *walk) locate(f funcInfo, fn Function, at abi.Addr) *Signature {
	s := &Signature{}
	conv := w.convention(f)
	doubt := w.whyNotConventional(f, fn)
	byConvention := make([]location, len(f.params))
	var results []location
	if conv.why == "" {
		byConvention, results = conv.assign(f)
	}
	s.Source = conv.name
	for i, p := range f.params {
		if f.unit.language == languageGo && p.name == goDictionaryName {
			continue
		}
		size := w.typeOf(p.typ).size
		where, exact := w.entryLocation(f, p, size, fn, at)
		switch {
		case exact && where.complete(size) && !(conv.first && byConvention[i].complete(size)):
		case conv.why == "" && doubt == "":
			where = byConvention[i]
		case len(where) > 0:
		case conv.why != "":
			where = missing(size, conv.why)
		default:
			where = missing(size, doubt)
		}
		s.Params = append(s.Params, w.newParameter(p, where))
	}

	for i, p := range f.results {
		size := w.typeOf(p.typ).size
		where := missing(size, conv.why)
		switch {
		case conv.why != "":
		case w.whyResultNotConventional(f, fn) != "":
			where = missing(size, w.whyResultNotConventional(f, fn))
		case i < len(results):
			where = results[i]
		}
		s.Results = append(s.Results, w.newParameter(p, where))
	}

	if doubt != "" {
		s.Source = "location lists"
	}
	return s
}

func (w *walk) newParameter(p parameter, where location) Value {
	if p.typ.unit == nil && p.outside {
		return Value{Name: p.name, TypeName: "?", Why: whyOutside}
	}
	return w.newValue(p.name, p.typ, where)
}

// entryLocation returns where a parameter is at the entry, by the location that the compiler gives.
// It is empty if that does not cover the entry. It is exact if it comes from a location list.
//
// A parameter without a list has one location. Mostly that is in the frame, where it is copied
// later, or where it spends the longest part of its life (seen with GCC 12). So the location counts
// only if it is a register for parameters or in the frame of the caller.
func (w *walk) entryLocation(f funcInfo, p parameter, size uint64, fn Function, at abi.Addr) (where location, exact bool) {
	e := p.entry
	state := entryState{machine: w.machine, frameIsCFA: f.frameIsCFA}
	switch {
	case !p.located:
		return nil, false
	case e.hasConst && !e.hasLocation:
		if n := uint64(len(e.constBlock)); n > 8 {
			return missing(size, whyUnknownLocation), false
		} else if n > 0 {
			c := cursor.Cursor{Bytes: e.constBlock}
			e.constant = int64(c.Uint(n))
		}
		return location{{size: 8, kind: pieceNumber, expr: constantExpr(e.constant)}}, true
	case e.hasList:
		code, ok := w.listEntry(f.unit, e.list, uint64(fn.Addr))
		if !ok {
			code, ok = w.listEntry(f.unit, e.list, uint64(at))
		}
		if !ok {
			return missing(size, whyGone), true
		}
		return w.evalLocation(f.unit, code, size, state), true
	case len(e.location) == 0:
		return missing(size, whyGone), false
	}

	where = w.evalLocation(f.unit, e.location, size, state)
	for _, pc := range where {
		base := pc.expr.base
		ofCaller := f.frameIsCFA && base == state.cfa().base && pc.expr.disp >= state.cfa().disp && e.location[0] == opFbreg
		if pc.kind != pieceMissing && !ofCaller && base != abi.NoRegister && !slices.Contains(w.passing(), base) {
			return nil, false
		}
	}
	return where, false
}

// passing returns the registers that can hold parameters of C.
func (w *walk) passing() []abi.Register { return abi.ConventionOf(w.machine, false).Arguments }
