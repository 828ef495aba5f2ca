//go:build linux

package record

import (
	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/plan"
)

// maxNames bounds the functions that an interpreter's probes may name: a program can make up any number.
const maxNames = 1 << 18

// catalog knows what the numbers of functions in the kernel's records stand for in the trace. The two
// differ, since functions of interpreters get a number when their name is first seen.
type catalog struct {
	w     *format.Writer
	funcs []probedFunc // by the number in records
	named map[nameKey]format.FuncID
	files map[image.Version]format.ModuleID
	keyed bool // spans of a function are told apart by an argument
}

// probedFunc is a function, or a static probe, as the trace has it.
type probedFunc struct {
	id      format.FuncID
	module  format.ModuleID
	planned *plan.Func
	others  format.FuncID // what maxNames leaves without a name; 0 before there are any
	first   format.FuncID // of those that share its links, by the number in records, as is
	next    format.FuncID // the one behind the last of them

	entryKind, returnKind siteKind
	entries, returns      uint64 // hits
}

// nameKey is what a record has for a name.
type nameKey struct {
	fn   format.FuncID // number in records
	hash uint64
}

func newCatalog(w *format.Writer) *catalog {
	return &catalog{w: w, named: map[nameKey]format.FuncID{}, files: map[image.Version]format.ModuleID{}}
}

// hit counts an event.
func (fn *probedFunc) hit(kind format.Kind) {
	if kind.IsEntry() {
		fn.entries++
	} else {
		fn.returns++
	}
}

// add defines a module and its functions, in the order that numbers them like their probes.
func (c *catalog) add(m *module) {
	id := c.w.AddModule(describeFile(m.Path, m.Image.File))
	if _, ok := c.files[m.Image.Version]; !ok {
		c.files[m.Image.Version] = id
	}
	start := len(c.funcs)
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		share := max(1, m.share)
		first := i / share * share
		entry, ret := siteKinds(fn, m.Goid != 0)
		c.funcs = append(c.funcs, probedFunc{
			entryKind: entry, returnKind: ret,
			id: c.w.AddFunc(describeFunc(fn, id, m.Goid != 0)), module: id, planned: fn,
			first: format.FuncID(start + first), next: format.FuncID(start + min(first+share, len(m.Funcs))),
		})
		c.keyed = c.keyed || fn.Keyed
	}
}

// group returns the functions that share the links of one: from first to the one before next.
func (c *catalog) group(fn format.FuncID) (first, next format.FuncID) {
	return c.funcs[fn].first, c.funcs[fn].next
}

// name defines the function that the values of an interpreter's probe are the name of.
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
			probed.others = c.w.AddFunc(format.Func{Name: "[further functions]", Module: probed.module, Static: probed.planned.USDT})
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
	f := format.Func{Module: probed.module, Static: probed.planned.USDT, File: text(parts.File), EntryClass: string(entry), ReturnClass: string(ret)}
	f.Name = style.Join(text(parts.Class), text(parts.Function), f.File)
	if f.Name == "" {
		f.Name = "[no name]"
	}
	if parts.Line >= 0 && v.Readable(parts.Line) {
		f.Line = max(0, int(int32(v.Number(parts.Line))))
	}
	c.named[key] = c.w.AddFunc(f)
}

// function returns the function that a name in a record stands for. It reports false where the record
// that tells the name has not been read yet.
func (c *catalog) function(fn format.FuncID, hash uint64) (format.FuncID, bool) {
	id, ok := c.named[nameKey{fn, hash}]
	if !ok && c.funcs[fn].others != 0 {
		return c.funcs[fn].others, true
	}
	return id, ok
}
