package dwarf

import (
	"slices"
)

const maxParams = 256

// parameter is a parameter or result in the debugging information.
type parameter struct {
	name       string
	typ        typeRef
	entry      die // with the location
	located    bool
	artificial bool
	outside    bool
}

// inFrame reports whether each parameter has one location, in the frame. The function copies them
// there after it has been entered.
func (f *funcInfo) inFrame() bool {
	for _, p := range f.params {
		if p.entry.hasList || len(p.entry.location) == 0 || p.entry.location[0] != opFbreg {
			return false
		}
	}
	return len(f.params) > 0
}

// parameters returns the parameters that are children of a subprogram. They mostly refer to other
// DIEs, which have the names and types.
func (w *walk) parameters(e die) []parameter {
	var out []parameter
	var add func(c die) bool
	add = func(c die) bool {
		switch c.tag {
		case tagParameterPack:
			w.children(c, func(inner die) bool { return inner.tag != tagFormalParameter || add(inner) })
		case tagFormalParameter:
			p := parameter{entry: c, located: c.hasLocation || c.hasConst}
			for _, o := range w.origins(c) {
				if p.name == "" {
					p.name = string(o.name)
				}
				if p.typ.unit == nil {
					p.typ = typeRef{dieRef: o.typ}
				}
				p.artificial = p.artificial || o.artificial
				p.outside = p.outside || o.outside
				p.entry.result = p.entry.result || o.result
			}
			out = append(out, p)
		}
		return len(out) < maxParams
	}

	w.children(e, add)
	return out
}

// mergeParameters returns all parameters of the abstract instance. Those that the concrete instance
// also has come from there, with their locations. Left out are artificial parameters of a C++
// constructor that the concrete instance lacks, because it does without.
func mergeParameters(abstract, concrete []parameter) []parameter {
	var out []parameter
	used := map[dieRef]bool{}
	for _, a := range abstract {
		i := slices.IndexFunc(concrete, func(c parameter) bool { return c.entry.origin == a.entry.dieRef })
		switch {
		case i >= 0:
			out = append(out, concrete[i])
			used[concrete[i].entry.dieRef] = true
		case !a.artificial:
			a.located = false
			out = append(out, a)
		}
	}
	for _, c := range concrete {
		if !used[c.entry.dieRef] {
			return concrete // they do not belong together
		}
	}
	return out
}

// readFunction reads the parameters and the result of a subprogram.
func (w *walk) readFunction(e die, name string) funcInfo {
	f := funcInfo{unit: e.unit, name: name, optimised: e.optimised || e.unit.optimised}
	chain := w.origins(e)
	f.frameIsCFA = len(e.frameBase) == 1 && e.frameBase[0] == opCallFrameCFA
	var typ dieRef
	outside := false
	for _, o := range chain {
		f.noCall = f.noCall || o.convention == callNoCall
		f.special = f.special || o.convention > callNoCall
		f.external = f.external || o.external
		f.declared = f.declared || o.declaration
		f.optimised = f.optimised || o.optimised
		if typ.unit == nil {
			typ, outside = o.typ, o.outside && o.origin.unit == nil
		}
	}

	list := w.parameters(e)
	for _, o := range chain[1:] {
		if more := w.parameters(o); len(more) > len(list) {
			list = mergeParameters(more, list)
		}
	}
	for _, p := range list {
		if p.entry.result {
			f.results = append(f.results, p)
		} else {
			f.params = append(f.params, p)
		}
	}

	if f.unit.language != languageGo && (typ.unit != nil || outside) {
		f.results = []parameter{{typ: typeRef{dieRef: typ}, outside: outside}}
	}
	if f.inFrame() { // LLVM has left it as it is, even in an optimised unit
		f.optimised = e.optimised
	}
	return f
}

// funcInfo is a function in the debugging information.
type funcInfo struct {
	unit       *infoUnit
	name       string
	params     []parameter
	results    []parameter // of Go: all; else one, without a location
	noCall     bool        // DW_CC_nocall: the compiler has changed how it is called
	special    bool        // a calling convention of its own, such as ms_abi
	external   bool
	optimised  bool
	declared   bool // it has a separate declaration
	frameIsCFA bool
}
