//go:build linux

package record

import (
	"fmt"
	"os"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// module is a file with functions to probe, while it is recorded.
type module struct {
	*plan.Module
	first     format.FuncID // of its functions, as numbered in records
	surveyed  bool          // its functions are attached in sets, see joinSurvey
	refused   map[int]bool  // functions that the kernel refuses to probe in some process, by index
	noReturns map[int]bool  // functions whose return instructions it refuses
	patched   map[int]bool  // functions whose code some process has changed: reported

	// Made for the first process, and used for all: see open.
	file  *os.File
	sites moduleSites
}

func newModules(planned []*plan.Module) []*module {
	list := make([]*module, 0, len(planned))
	for _, m := range planned {
		list = append(list, &module{Module: m, refused: map[int]bool{}, noReturns: map[int]bool{}, patched: map[int]bool{}})
	}
	return list
}

// countSites returns how many sites the module has in one process.
func (m *module) countSites() int {
	n := len(m.Funcs) + len(m.Handoffs)
	for _, fn := range m.Funcs {
		n += max(0, len(fn.USDTSites)-1) + len(fn.Raised)
		switch fn.ReturnBy {
		case plan.ByTrampoline:
			n++
		case plan.ByInstruction:
			n += len(fn.Returns) + len(fn.TailCalls)
		}
	}
	return n
}

// open opens the module's file, and makes its sites. The file stays open, because its path may lead
// through a process that ends. A site with values has an entry of the programs' table, so there is
// one for all processes.
func (m *module) open(objs *bpf.Objects) (err error) {
	if m.Goid != 0 {
		if err := objs.SetGoidOffset(m.Goid); err != nil {
			return err
		}
	}
	if m.file, err = os.Open(m.Image.OpenPath); err != nil {
		return err
	}
	m.Image.OpenPath = fmt.Sprintf("/proc/self/fd/%d", m.file.Fd())
	m.sites, err = newModuleSites(objs, m)
	return err
}

// joinSurvey has a survey probe the module in sets, before it is attached anywhere. held says that
// its program does not run yet.
func (m *module) joinSurvey(s *survey.Survey, probes *attachedProbes, defs *definitions, held bool) {
	m.surveyed = true
	s.Add(survey.Module{Module: m.Module, First: m.first, Probes: surveyedProbes{m, probes, defs}}, held)
}

// dropReturns notes that the kernel refuses the return probes of some functions.
func (m *module) dropReturns(funcs map[int]bool) {
	for i := range funcs {
		m.Funcs[i].ReturnBy, m.Funcs[i].Why = plan.Never, "the kernel refuses a breakpoint on its return instruction"
	}
}
