//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/insn"
)

// PlannedModule is a file with functions to probe.
type PlannedModule struct {
	Path    string
	BuildID string
	PIDs    []int         // attached in these processes only; empty: in all, or in the command
	Funcs   []PlannedFunc // by address
	Hazard  string        // why some returns are seen by instructions, "" if none need to be
	Goid    uint16        // of a Go program: where a goroutine has its number, in bytes
	Guarded bool          // attached in each process by itself, if it does not break there, see guard

	image *image
	first format.FuncID // of Funcs, while recording
	share int           // see attach
	// statics are the locations of static probes that the kernel's programs know, by index into Funcs, while recording.
	statics map[int][]site
	refused map[int]bool // functions that the kernel refuses to probe in some process, by index, while recording
}

// PlannedFunc is a function, or a single instruction, to probe.
type PlannedFunc struct {
	Name       string // for people
	Symbol     string
	Addr       uint64 // virtual address as the file has it
	Size       uint64
	Site       uint64     // address of the breakpoint for the entry
	FileOff    uint64     // the same place as an offset into the file
	Class      insn.Class // what the kernel makes of it
	SiteWhy    string     // why the site is not a cheaper one, "" if it is cheap
	SourceFile string     // "" where neither debug information nor the symbol table tells
	Line       int        // 0 without debug information, and in a Plan that is not being recorded
	Hit        bool       // an instruction: it has no return
	ReturnBy   ReturnBy
	Returns    []uint64   // file offsets of the return instructions, with ByInstruction,
	Returning  insn.Class // what the kernel makes of these
	TailCalls  []uint64   // and of the jumps to other functions, which then return for this one
	Why        string     // reason, where ReturnBy is Never

	Static  string       // of a static probe, or a span: PROVIDER:NAME of where it begins
	Statics []StaticSite // then all its locations, those that end the span included
	Raised  []StaticSite // where probes do nothing but raise a semaphore, without which it does not work
	entry   *bpf.Site    // of a function, what to do at its entry beside noting it, nil for nothing;
	exit    *bpf.Site    // and at its return
	args    []argument   // that are recorded at its entries or hits
	results []argument   // at its returns
	// Values says of what is recorded of a function beside the time what it is and where: "n:s32 in %edi, 4 bytes".
	Values []string
	keyed  bool         // an argument tells its calls apart
	probes []staticName // static ones: where it begins, and where it ends
	names  nameStyle    // the functions that it stands for
}

// takeGuarded moves the static probes that break some processes into a module of the same file.
func (m *PlannedModule) takeGuarded() *PlannedModule {
	breaks := func(fn PlannedFunc) bool {
		return slices.ContainsFunc(breaking(), func(n staticName) bool { return slices.Contains(fn.probes, n) })
	}
	taken := *m
	taken.Guarded = true
	taken.Funcs = slices.DeleteFunc(slices.Clone(m.Funcs), func(fn PlannedFunc) bool { return !breaks(fn) })
	m.Funcs = slices.DeleteFunc(m.Funcs, breaks)
	return &taken
}

func (m *PlannedModule) readLines() {
	lines, err := m.image.file.Lines()
	if err != nil {
		return // no debug information: no lines
	}
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		if path, line, ok := lines.Func(abi.Addr(fn.Addr)); ok {
			fn.SourceFile, fn.Line = path, line
		}
	}
}

// describe returns the module for a trace.
func (m *PlannedModule) describe() format.Module {
	module := format.Module{Path: m.Path, BuildID: m.BuildID}
	for _, seg := range m.image.file.Segments {
		module.Segments = append(module.Segments, format.Segment{Addr: uint64(seg.Addr), FileOff: uint64(seg.FileOff), Size: seg.MemSize})
	}
	return module
}

// describe returns the function for a trace, in which its module has a number.
func (fn *PlannedFunc) describe(module format.ModuleID, goCode bool) format.Func {
	entry, ret := fn.siteKinds(goCode)
	f := format.Func{
		Name: fn.Name, Module: module, Addr: fn.Addr, Size: fn.Size, File: fn.SourceFile, Line: fn.Line,
		Hit: fn.Hit, NoReturn: !fn.Hit && fn.ReturnBy == Never && len(fn.Statics) == 0,
		Static: fn.Static, Args: describe(fn.args), Results: describe(fn.results),
		EntryClass: string(entry), ReturnClass: string(ret),
	}
	if fn.Symbol != fn.Name {
		f.Symbol = fn.Symbol
	}
	return f
}
