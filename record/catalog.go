//go:build linux

package record

import (
	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
	"utrace/record/internal/stacks"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// maxNames limits the functions that an interpreter's probes may name: a program can invent any
// number.
const maxNames = 1 << 18

// catalog maps the function numbers in the kernel's records to those in the trace. They differ,
// because an interpreter's functions get a number only when their name is first seen.
type catalog struct {
	w     sink
	funcs []probedFunc // by number in records
	named map[nameKey]format.FuncID
	files map[image.Version]format.ModuleID
	keyed bool // an argument identifies the spans of some function
}

// probedFunc is a function, or a static probe, as in the trace.
type probedFunc struct {
	id      format.FuncID
	module  format.ModuleID
	planned *plan.Func
	others  format.FuncID // the function of names beyond maxNames; 0 before there are any

	entryKind, returnKind siteKind
	entries, returns      uint64 // hits
	tailEntries           uint64 // those of the entries that were tail calls
}

// nameKey identifies a name in a record.
type nameKey struct {
	fn   format.FuncID // number in records
	hash uint64
}

func newCatalog(w sink) *catalog {
	return &catalog{w: w, named: map[nameKey]format.FuncID{}, files: map[image.Version]format.ModuleID{}}
}

// hit counts an event.
func (fn *probedFunc) hit(kind format.Kind) {
	if kind.IsEntry() {
		fn.entries++
	} else {
		fn.returns++
	}
	if kind == format.TailEntry {
		fn.tailEntries++
	}
}

// add defines a module and its functions, in the order in which their probes are numbered.
func (c *catalog) add(m *module) {
	id := c.w.AddModule(m.Image.Describe())
	if _, ok := c.files[m.Image.Version]; !ok {
		c.files[m.Image.Version] = id
	}
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		entry, ret := siteKinds(fn, m.Goid != 0)
		c.funcs = append(c.funcs, probedFunc{
			entryKind: entry, returnKind: ret,
			id: c.w.AddFunc(describeFunc(fn, id, m.Goid != 0)), module: id, planned: fn,
		})
		c.keyed = c.keyed || fn.Keyed
	}
}

// addSet defines a set of functions.
func (c *catalog) addSet(set *survey.Set) format.SetID {
	var described format.ProbeSet
	for _, fn := range set.Funcs() {
		described.Funcs = append(described.Funcs, c.funcs[fn].id)
	}
	return c.w.AddProbeSet(described)
}

// name defines the function that the values of an interpreter's probe name.
func (c *catalog) name(fn format.FuncID, v *bpf.Values) {
	if int(fn) >= len(c.funcs) {
		return
	}
	key := nameKey{fn, v.Name}
	if _, ok := c.named[key]; ok {
		return
	}
	probed := &c.funcs[fn]
	if len(c.named) >= maxNames {
		if probed.others == 0 {
			probed.others = c.w.AddFunc(format.Func{Name: "[further functions]", Module: probed.module, USDT: probed.planned.USDT})
		}
		return
	}
	style := probed.planned.Names
	parts := style.Parts()
	text := func(i int) string {
		if i < 0 || !v.Readable(i) {
			return ""
		}
		return string(v.Text(i))
	}
	entry, ret := siteKinds(probed.planned, false)
	f := format.Func{Module: probed.module, USDT: probed.planned.USDT, File: text(parts.File), EntryClass: string(entry), ReturnClass: string(ret)}
	f.Name = style.Join(text(parts.Class), text(parts.Function), f.File)
	if f.Name == "" {
		f.Name = "[no name]"
	}
	if parts.Line >= 0 && v.Readable(parts.Line) {
		f.Line = max(0, int(int32(v.Number(parts.Line))))
	}
	c.named[key] = c.w.AddFunc(f)
}

// function returns the function of a name in a record. It reports false if the record with that
// name has not been read yet.
func (c *catalog) function(fn format.FuncID, hash uint64) (format.FuncID, bool) {
	id, ok := c.named[nameKey{fn, hash}]
	if !ok && c.funcs[fn].others != 0 {
		return c.funcs[fn].others, true
	}
	return id, ok
}

// describeFunc returns the description of a function for a trace. module is the number of its
// module in the trace.
func describeFunc(fn *plan.Func, module format.ModuleID, goCode bool) format.Func {
	entry, ret := siteKinds(fn, goCode)
	f := format.Func{
		Name: fn.Name, Module: module, Addr: fn.Addr, Size: fn.Size, File: fn.SourceFile, Line: fn.Line,
		Hit: fn.Hit, NoReturn: !fn.Hit && fn.ReturnBy == plan.Never && len(fn.USDTSites) == 0,
		USDT: fn.USDT, Args: describeArguments(fn.Args), Results: describeArguments(fn.Results),
		EntryClass: string(entry), ReturnClass: string(ret),
	}
	if fn.Symbol != fn.Name {
		f.Symbol = fn.Symbol
	}
	return f
}

// describeArguments returns the description of the recorded arguments for a trace.
func describeArguments(args []probe.Argument) []format.Arg {
	var list []format.Arg
	for _, a := range args {
		if !a.Hidden {
			list = append(list, format.Arg{Name: a.Name, Type: a.Type.Name})
		}
	}
	return list
}

// probed returns the modules and functions that are probed, for the functions on stacks.
func (c *catalog) probed() stacks.Probed {
	p := stacks.Probed{Modules: c.files, Funcs: map[stacks.FuncKey]format.FuncID{}}
	for _, fn := range c.funcs {
		if !fn.planned.Hit && fn.planned.USDT == "" {
			p.Funcs[stacks.FuncKey{Module: fn.module, Addr: fn.planned.Addr}] = fn.id
		}
	}
	return p
}
