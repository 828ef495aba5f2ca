package dwarf

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Signature is what the debugging information says of a function: its parameters and results, and where they are.
type Signature struct {
	Params  []Value // in order, `this` and the like included
	Results []Value // one at most, but of Go
	Source  string  // how the places are known, for messages: "System V calling convention", "location lists", …
}

const maxParams = 256

// parameter is a parameter or result as the debugging information has it.
type parameter struct {
	name       string
	typ        typeRef
	entry      die // with the location
	located    bool
	artificial bool
	outside    bool
}

// function is what the debugging information says of a function.
type funcInfo struct {
	unit       *infoUnit
	name       string
	params     []parameter
	results    []parameter // of Go: all; else one, of which only the type counts
	noCall     bool        // DW_CC_nocall: it is called in a way of its own
	special    bool        // a calling convention of its own, as ms_abi
	external   bool
	optimised  bool
	declared   bool // apart from its definition
	frameIsCFA bool
}

// chooseDIE returns the DIE that has the name of the function: the linker may have merged several of the same code.
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

// origins returns a DIE and those that it refers to: the abstract instance, the declaration in a class.
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

// function reads the parameters and the result of a subprogram.
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
	if f.inFrame() { // LLVM has left it as it is, whatever has been optimised in its unit
		f.optimised = e.optimised
	}
	return f
}

// inFrame says whether each parameter has one place, in the frame, which it is copied to when the function has been entered.
func (f *funcInfo) inFrame() bool {
	for _, p := range f.params {
		if p.entry.hasList || len(p.entry.location) == 0 || p.entry.location[0] != opFbreg {
			return false
		}
	}
	return len(f.params) > 0
}

// parameters returns the parameters that are children of a subprogram. Names and types are mostly those of other DIEs that they refer to.
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

// mergeParameters returns all parameters of the abstract instance, those that the concrete one has with its location. The abstract one of a C++
// constructor has artificial ones that the concrete one lacks, since it does without.
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

// places says where the parameters and results are.
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

// entryPlace says where a parameter is at the entry, by the location that the compiler gives for it; it is empty if that does not say. It is exact if
// it comes from a location list. The one location of a parameter without a list is mostly its place in the frame, to which it is copied later, or that of the longest
// part of its life (seen with GCC 12): of those only registers of parameters and the frame of the caller count.
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
	for _, part := range where {
		base := part.expr.base
		ofCaller := f.frameIsCFA && base == state.cfa().base && part.expr.disp >= state.cfa().disp && e.location[0] == opFbreg
		if part.kind != pieceMissing && !ofCaller && base != abi.NoRegister && !slices.Contains(w.passing(), base) {
			return nil, false
		}
	}
	return where, false
}

const whySpecial = "this function has a calling convention of its own"

// doubt tells why the calling convention does not hold for the parameters of a function, "" if it does.
func (w *walk) whyNotConventional(f funcInfo, fn Function) string {
	switch {
	case f.noCall:
		return "optimised out: the compiler has changed how this function is called"
	case f.special:
		return whySpecial
	case isClone(fn.Name, ".isra.", ".constprop.", ".part.", ".specialized."):
		return "optimised out: " + fn.Name + " is a copy that the compiler has changed"
	}
	if f.changedSilently(20) {
		return "LLVM may have changed how this local function is called, and does not say"
	}
	return ""
}

// resultDoubt is like doubt, for results.
func (w *walk) whyResultNotConventional(f funcInfo, fn Function) string {
	switch {
	case f.noCall:
		return "the compiler has changed how this function is called"
	case f.special:
		return whySpecial
	case isClone(fn.Name, ".isra.", ".part."):
		return fn.Name + " is a copy that the compiler has changed: it may return something else"
	case f.changedSilently(15):
		return "LLVM may have changed what this local function returns, and does not say"
	}
	return ""
}

// changedSilently says whether LLVM may have dropped or changed parameters or results of a function that is not called from elsewhere. Since a version it
// says so (DW_CC_nocall), but not of functions that are declared elsewhere, as methods are.
func (f *funcInfo) changedSilently(since int) bool {
	version := llvmVersion(f.unit.producer)
	return version != 0 && f.optimised && !f.external && (version < since || f.declared)
}

// isClone says whether GCC has made a function from another, by the name that it gives such a copy.
func isClone(symbol string, marks ...string) bool {
	return slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(symbol, mark) })
}

// Function is a function as the symbols of a file have it.
type Function struct {
	Addr    abi.Addr
	Name    string
	Aliases []string // other names
}

// Signature says what the parameters and results of fn are, and where: parameters when it has been entered, at the address `at` near
// its beginning, where the argument registers and the stack pointer are still as they were at the entry; results at the moment of
// the return, with Go at a RET instruction. The error is ErrNoDWARF if this function has no debugging information, or one of malformed or too large ones.
//
//  1. The DIE of the function: its own, and those that it refers to, which have names and types.
//  2. Where the compiler says for the entry where a parameter is (location lists), that holds.
//  3. Else the calling convention says it (convention.go), unless the compiler may have changed it for this function.
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
		return nil, fmt.Errorf("%w of %s", errDWARF, fn.Name)
	}
	function := w.readFunction(e, fn.Name)
	s := w.locate(function, fn, at)
	if w.spent > maxWalk {
		return nil, fmt.Errorf("debugging information of %s: %w", fn.Name, errTooLargeDWARF)
	}
	return s, nil
}

// passing returns the registers that parameters are passed in.
func (w *walk) passing() []abi.Register { return abi.ConventionOf(w.machine, false).Arguments }
