package analyze

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"utrace/format"
)

// Function identifies a function, across traces.
type Function struct {
	Name    string // for people
	Symbol  string // in the symbol table
	USDT    string // of a static probe, or a function that one names: PROVIDER:NAME
	Module  string // path
	BuildID string
	Addr    uint64 // virtual address in the file
	File    string // source file, "" if unknown
	Line    int
	Segment format.Segment // of the module, around the function; zero if unknown
}

// Provider returns the provider of a static probe (USDT), "" for other functions.
func (f *Function) Provider() string {
	provider, _, _ := strings.Cut(f.USDT, ":")
	return provider
}

// Compare orders functions by name, module and address.
func (f *Function) Compare(other *Function) int {
	return cmp.Or(strings.Compare(f.Name, other.Name), strings.Compare(f.Module, other.Module), cmp.Compare(f.Addr, other.Addr),
		strings.Compare(f.File, other.File), strings.Compare(f.BuildID, other.BuildID))
}

// functionKey is equal for functions of different traces that are the same.
type functionKey struct {
	module string // build ID, or the path if it has none
	addr   uint64
	name   string
	file   string // of a function of an interpreter: it has no address
}

// functions numbers the functions of all traces of an analysis.
type functions struct {
	list  []Function
	index map[functionKey]int
}

func newFunctions() *functions { return &functions{index: map[functionKey]int{}} }

// add returns the number of a function of a trace.
func (fs *functions) add(f *format.Func, modules []format.Module) int {
	m := &modules[f.Module]
	key := functionKey{cmp.Or(m.BuildID, m.Path), f.Addr, f.Name, ""}
	if f.Addr == 0 {
		key.file = f.File
	}
	if i, ok := fs.index[key]; ok {
		return i
	}
	i := len(fs.list)
	fs.index[key] = i
	fn := Function{
		Name: f.Name, Symbol: f.Symbol, USDT: f.USDT, Module: m.Path, BuildID: m.BuildID, Addr: f.Addr, File: f.File, Line: f.Line,
	}
	for _, s := range m.Segments {
		if f.Addr >= s.Addr && f.Addr-s.Addr < s.Size {
			fn.Segment = s
		}
	}
	fs.list = append(fs.list, fn)
	return i
}

// setLabels sets the labels. Functions of the same name get different ones.
func (r *Result) setLabels() {
	labels := map[string]map[Function]string{} // by name
	for i := range r.Rows {
		f := &r.Rows[i].Function
		if labels[f.Name] == nil {
			labels[f.Name] = map[Function]string{}
		}
		labels[f.Name][*f] = f.Name
	}
	for _, list := range labels {
		if len(list) > 1 {
			tellApart(list)
		}
	}
	for i := range r.Rows {
		f := &r.Rows[i].Function
		r.Rows[i].Label = labels[f.Name][*f]
	}
}

// tellApart labels each function with the first of its longer names that no other function has.
func tellApart(labels map[Function]string) {
	count := map[string]int{}
	for f := range labels {
		for _, name := range f.longerNames() {
			count[name]++
		}
	}
	for f := range labels {
		for _, name := range f.longerNames() {
			if labels[f] = name; count[name] == 1 {
				break
			}
		}
	}
}

// longerNames are different names of a function: of a static probe with its provider, then with
// more and more of the module, the line in the source and the address.
func (f *Function) longerNames() []string {
	var names []string
	if f.USDT != "" && f.Addr != 0 && f.Name != f.USDT {
		names = append(names, f.Provider()+":"+f.Name)
	}
	add := func(parts ...string) {
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		if name := f.Name + " [" + strings.Join(parts, " ") + "]"; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	base, address := filepath.Base(f.Module), fmt.Sprintf("%#x", f.Addr)
	line := fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
	switch {
	case f.File == "":
		line, address = address, ""
	case f.Addr == 0: // of an interpreter
		if line, address = f.File, ""; f.Line != 0 { // 0: a whole file
			line += fmt.Sprintf(":%d", f.Line)
		}
		add(line)
	}
	add(base)
	add(base, line)
	add(f.Module, line)
	add(f.Module, line, f.BuildID)
	add(base, line, address)
	add(f.Module, line, address, f.BuildID)
	return names
}
