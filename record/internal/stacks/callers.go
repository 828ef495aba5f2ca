//go:build linux

package stacks

import (
	"fmt"
	"slices"

	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
)

// callers are the functions on stacks.
type callers struct {
	w       Definer
	modules map[*stackFile]format.ModuleID
	probed  map[image.Version]format.ModuleID
	funcs   map[FuncKey]format.FuncID
	lines   map[*stackFile]*dwarf.Lines
	frames  map[*stackFile]*frameCount

	withLines bool // of the source
}

// Definer takes the definitions of stacks. A *format.Writer is one.
type Definer interface {
	AddModule(format.Module) format.ModuleID
	AddFunc(format.Func) format.FuncID
	AddStack(format.Stack) format.StackID
}

// Probed are the modules and functions that the trace has already, because they are probed.
type Probed struct {
	Modules map[image.Version]format.ModuleID
	Funcs   map[FuncKey]format.FuncID
}

// FuncKey is a function: its address, as the file of its module has it.
type FuncKey struct {
	Module format.ModuleID
	Addr   uint64
}

// frameCount counts the functions of a file that are on stacks.
type frameCount struct {
	seen         map[uint64]bool // by address
	all, without int
}

func newCallers(w Definer, probed Probed, withLines bool) *callers {
	return &callers{
		w: w, withLines: withLines, modules: map[*stackFile]format.ModuleID{}, probed: probed.Modules, funcs: probed.Funcs,
		lines: map[*stackFile]*dwarf.Lines{}, frames: map[*stackFile]*frameCount{},
	}
}

// at returns the function of a return address, and the line of the call. ofEntry says that it is on
// the stack of an entry.
func (f *callers) at(at codeAddr, ofEntry bool) (fn format.FuncID, line int) {
	module := f.module(at.file)
	if at.file.image == nil {
		return f.define(FuncKey{module, 0}, format.Func{Name: at.file.name, Module: module}), 0
	}
	call := abi.Addr(at.addr - 1) // a call can be the last instruction of its function
	found, ok := at.file.image.File.FuncAt(call)
	if !ok {
		return f.define(FuncKey{module, at.addr}, format.Func{Name: fmt.Sprintf("%#x", uint64(call)), Module: module, Addr: uint64(call)}), 0
	}
	key := FuncKey{module, uint64(found.Addr)}
	def := format.Func{
		Name: demangle.Short(found.Name) + found.VersionOf(found.Name), Module: module, Addr: uint64(found.Addr), Size: found.Size, File: found.SourceFile,
	}
	if found.Name != def.Name {
		def.Symbol = found.Name
	}
	if ofEntry {
		f.countFrame(at.file, found, key)
	}
	if lines := f.sourceLines(at.file); lines != nil {
		if path, n, ok := lines.Func(found.Addr); ok {
			def.File, def.Line = path, n
		}
		if path, n, ok := lines.At(call); ok && path == def.File {
			line = n
		}
	}
	return f.define(key, def), line
}

func (f *callers) define(key FuncKey, def format.Func) format.FuncID {
	id, ok := f.funcs[key]
	if !ok {
		id = f.w.AddFunc(def)
		f.funcs[key] = id
	}
	return id
}

func (f *callers) module(file *stackFile) format.ModuleID {
	id, ok := f.modules[file]
	if ok {
		return id
	}
	if file.image != nil {
		id, ok = f.probed[file.image.Version]
	}
	switch {
	case ok:
	case file.image != nil:
		id = f.w.AddModule(file.image.Describe())
	default:
		id = f.w.AddModule(format.Module{Path: file.name})
	}
	f.modules[file] = id
	return id
}

// sourceLines returns nil for a file without debug information.
func (f *callers) sourceLines(file *stackFile) *dwarf.Lines {
	if !f.withLines {
		return nil
	}
	lines, ok := f.lines[file]
	if !ok {
		lines, _ = file.image.File.Lines()
		f.lines[file] = lines
	}
	return lines
}

// countFrame counts a function once: in all, and if it hides its caller.
func (f *callers) countFrame(file *stackFile, fn elffile.Func, key FuncKey) {
	count := f.frames[file]
	if count == nil {
		count = &frameCount{seen: map[uint64]bool{}}
		f.frames[file] = count
	}
	if count.seen[key.Addr] || isOutermost(fn.Name) {
		return
	}
	count.seen[key.Addr] = true
	count.all++
	if !file.image.File.KeepsFramePointer(fn) {
		count.without++
	}
}

// withoutFramePointers returns a warning for each file whose functions hide their callers.
func (f *callers) withoutFramePointers() []string {
	var list []string
	for file, count := range f.frames {
		if 2*count.without > count.all {
			list = append(list, fmt.Sprintf("%s is built without frame pointers (%d of its %d functions on stacks set up none): stacks lack the callers of these, or end there; build it with -fno-omit-frame-pointer", file.image.Path, count.without, count.all))
		}
	}
	slices.Sort(list)
	return list
}

// isOutermost reports whether a function has no caller worth knowing.
func isOutermost(symbol string) bool {
	switch symbol {
	case "__libc_start_call_main", "__libc_start_main", "start_thread", "clone", "clone3", "__clone3":
		return true
	}
	return elffile.IsStartup(symbol)
}
