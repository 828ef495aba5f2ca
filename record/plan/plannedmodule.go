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

// Module is a file with something to probe.
type Module struct {
	Path    string // as the traced processes name it
	BuildID string // "" if the file has none
	PIDs    []int  // attach in these processes only; none: in all that run the file, or in the command
	Funcs   []Func // by address
	Hazard  string // why some returns are seen by their instructions, "" if none need to be
	Goid    uint16 // in a Go program: offset of a goroutine's number in the runtime's struct g, in bytes

	// Handoffs are those between goroutines, if they are to be recorded.
	Handoffs []Handoff

	// Anywhere reports whether a probe names the file by its path: any recorded process may map it
	// later.
	Anywhere bool

	// PerProcess reports whether the module is attached in one process at a time, after a check
	// that its probes do not break that process: see breakingProbes.
	PerProcess bool

	Image *image.Image
}

// Func is a function, a static probe, a span, or a single instruction to probe.
type Func struct {
	Name       string     // for people
	Symbol     string     // as the symbol table has it; of a static probe PROVIDER:NAME
	Addr       uint64     // virtual address in the file
	Size       uint64     // bytes; 0 for static probes and single instructions
	Site       uint64     // virtual address of the entry's breakpoint in the file
	FileOff    uint64     // file offset of the entry's breakpoint
	Class      insn.Class // how the kernel treats the instruction at Addr
	SiteWhy    string     // why the site is not a cheaper one, "" if it is cheap
	SourceFile string     // "" if neither debug information nor the symbol table has it
	Line       int        // 0 without debug information, and before ReadLines
	Hit        bool       // it has no return: a single instruction, or a static probe that ends no span

	ReturnBy  ReturnBy
	Returns   []uint64   // with ByInstruction: file offsets of the return instructions
	Returning insn.Class // how the kernel treats these
	TailCalls []uint64   // with ByInstruction: file offsets of jumps to functions that return for this one
	Why       string     // with Never: the reason

	USDT      string     // of a static probe: PROVIDER:NAME; of a span: its begin's; "" for others
	USDTSites []USDTSite // of a static probe or span: all locations, including the ends of the span
	Raised    []USDTSite // sites that only raise a semaphore which the static probe depends on

	Entry *bpf.Site // what the BPF side does at a function's entry besides recording it; nil for nothing
	Exit  *bpf.Site // the same at its return

	Args    []probe.Argument // recorded at entries and hits
	Results []probe.Argument // recorded at returns
	Values  []string         // for people, each value of a function: "n:s32 in %edi, 4 bytes"
	Keyed   bool             // an argument identifies overlapping spans
	Names   probe.NameStyle  // its values are the names of the functions it represents

	usdtProbes []usdtName // of a static probe or span: all static probes that it attaches
	code       []byte     // the instruction at Site
}

// takePerProcess moves the static probes that break some processes to a module of their own, for
// the same file.
func (m *Module) takePerProcess() *Module {
	breaks := func(fn Func) bool {
		return slices.ContainsFunc(breakingProbes(), func(n usdtName) bool {
			return slices.Contains(fn.usdtProbes, n)
		})
	}
	taken := *m
	taken.PerProcess = true
	taken.Funcs = slices.DeleteFunc(slices.Clone(m.Funcs), func(fn Func) bool { return !breaks(fn) })
	m.Funcs = slices.DeleteFunc(m.Funcs, breaks)
	return &taken
}

// ReadLines sets the source line of each function, as far as debug information has it.
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

// Conditions returns the comparisons of the function's or span's condition, none without one.
func (fn *Func) Conditions() []bpf.Cond {
	switch {
	case fn.Entry != nil:
		return fn.Entry.Conds[:fn.Entry.NumConds]
	case len(fn.USDTSites) > 0:
		return fn.USDTSites[0].Site.Conds[:fn.USDTSites[0].Site.NumConds]
	}
	return nil
}
