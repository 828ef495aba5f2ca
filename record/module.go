//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
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

	image *image.Image
}

// PlannedFunc is a function, or a single instruction, to probe.
type PlannedFunc struct {
	Name       string // for people
	Symbol     string
	Addr       uint64 // virtual address as the file has it
	Size       uint64
	Site       uint64    // address of the breakpoint for the entry
	FileOff    uint64    // the same place as an offset into the file
	Class      SiteClass // what the kernel makes of it
	SiteWhy    string    // why the site is not a cheaper one, "" if it is cheap
	SourceFile string    // "" where neither debug information nor the symbol table tells
	Line       int       // 0 without debug information, and in a Plan that is not being recorded
	Hit        bool      // an instruction: it has no return
	ReturnBy   ReturnBy
	Returns    []uint64  // file offsets of the return instructions, with ByInstruction,
	Returning  SiteClass // what the kernel makes of these
	TailCalls  []uint64  // and of the jumps to other functions, which then return for this one
	Why        string    // reason, where ReturnBy is Never

	Static  string           // of a static probe, or a span: PROVIDER:NAME of where it begins
	Statics []StaticSite     // then all its locations, those that end the span included
	Raised  []StaticSite     // where probes do nothing but raise a semaphore, without which it does not work
	entry   *bpf.Site        // of a function, what to do at its entry beside noting it, nil for nothing;
	exit    *bpf.Site        // and at its return
	args    []probe.Argument // that are recorded at its entries or hits
	results []probe.Argument // at its returns
	// Values says of what is recorded of a function beside the time what it is and where: "n:s32 in %edi, 4 bytes".
	Values []string
	keyed  bool            // an argument tells its calls apart
	probes []staticName    // static ones: where it begins, and where it ends
	names  probe.NameStyle // the functions that it stands for
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
	lines, err := m.image.File.Lines()
	if err != nil {
		return // no debug information: no lines
	}
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		if path, line, ok := lines.Func(elffile.Addr(fn.Addr)); ok {
			fn.SourceFile, fn.Line = path, line
		}
	}
}

// conditions returns the comparisons of a function or span.
func (fn *PlannedFunc) conditions() []bpf.Cond {
	switch {
	case fn.entry != nil:
		return fn.entry.Conds[:fn.entry.NumConds]
	case len(fn.Statics) > 0:
		return fn.Statics[0].site.Conds[:fn.Statics[0].site.NumConds]
	}
	return nil
}
