//go:build linux

package plan

import (
	"slices"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
)

// PlannedModule is a file with functions to probe.
type Module struct {
	Path       string
	BuildID    string
	PIDs       []int  // attached in these processes only; empty: in all, or in the command
	Funcs      []Func // by address
	Hazard     string // why some returns are seen by instructions, "" if none need to be
	Goid       uint16 // of a Go program: where a goroutine has its number, in bytes
	PerProcess bool   // attached in each process by itself, if it does not break there, see guard

	Image *image.Image
}

// PlannedFunc is a function, or a single instruction, to probe.
type Func struct {
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

	USDT      string           // of a static probe, or a span: PROVIDER:NAME of where it begins
	USDTSites []USDTSite       // then all its locations, those that end the span included
	Raised    []USDTSite       // where probes do nothing but raise a semaphore, without which it does not work
	Entry     *bpf.Site        // of a function, what to do at its entry beside noting it, nil for nothing;
	Exit      *bpf.Site        // and at its return
	Args      []probe.Argument // that are recorded at its entries or hits
	Results   []probe.Argument // at its returns
	// Values says of what is recorded of a function beside the time what it is and where: "n:s32 in %edi, 4 bytes".
	Values     []string
	Keyed      bool            // an argument tells its calls apart
	usdtProbes []usdtName      // static ones: where it begins, and where it ends
	Names      probe.NameStyle // the functions that it stands for
}

// takeGuarded moves the static probes that break some processes into a module of the same file.
func (m *Module) takePerProcess() *Module {
	breaks := func(fn Func) bool {
		return slices.ContainsFunc(breakingProbes(), func(n usdtName) bool { return slices.Contains(fn.usdtProbes, n) })
	}
	taken := *m
	taken.PerProcess = true
	taken.Funcs = slices.DeleteFunc(slices.Clone(m.Funcs), func(fn Func) bool { return !breaks(fn) })
	m.Funcs = slices.DeleteFunc(m.Funcs, breaks)
	return &taken
}

func (m *Module) ReadLines() {
	lines, err := m.Image.File.Lines()
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

// conditions returns the comparisons of a function or span.
func (fn *Func) Conditions() []bpf.Cond {
	switch {
	case fn.Entry != nil:
		return fn.Entry.Conds[:fn.Entry.NumConds]
	case len(fn.USDTSites) > 0:
		return fn.USDTSites[0].Site.Conds[:fn.USDTSites[0].Site.NumConds]
	}
	return nil
}
