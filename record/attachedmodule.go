//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/plan"
)

// module is a file with functions to probe, while it is recorded.
type module struct {
	*plan.Module
	first     format.FuncID  // of its functions, as numbered in records
	share     int            // how many functions share their links; 0: all
	usdtSites map[int][]site // locations of static probes in the programs' table, by index into Funcs
	refused   map[int]bool   // functions that the kernel refuses to probe in some process, by index
}

func newModules(planned []*plan.Module) []*module {
	list := make([]*module, 0, len(planned))
	for _, m := range planned {
		list = append(list, &module{Module: m, usdtSites: map[int][]site{}, refused: map[int]bool{}})
	}
	return list
}

// countSites returns how many sites the module has in one process.
func (m *module) countSites() int {
	n := len(m.Funcs)
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

// countLinks returns how many links the module needs in one process if share functions share
// theirs.
func (m *module) countLinks(share int) (n int) {
	for funcs := range slices.Chunk(m.Funcs, share) {
		kinds := map[any]bool{}
		for _, fn := range funcs {
			switch {
			case len(fn.USDTSites) > 0:
				kinds["static"] = true
			case fn.Entry != nil:
				kinds["entry with values"] = true
			default:
				kinds["entry"] = true
			}
			if fn.Exit != nil {
				kinds["exit with values"] = true
			}
			if len(fn.Raised) > 0 {
				kinds["raised"] = true
			}
			if fn.ReturnBy != plan.Never {
				kinds[fn.ReturnBy] = true
			}
			if slices.Contains(fn.Returns, fn.FileOff) || slices.Contains(fn.TailCalls, fn.FileOff) {
				kinds["early"] = true
			}
		}
		n += len(kinds)
	}
	return n
}

// usdtSitesOf returns the locations of a static probe. The first call adds them to the programs'
// table.
func (m *module) usdtSitesOf(objs *bpf.Objects, i int) ([]site, error) {
	if sites := m.usdtSites[i]; sites != nil {
		return sites, nil
	}
	var sites []site
	for _, loc := range m.Funcs[i].USDTSites {
		s := loc.Site
		s.Func = m.first + format.FuncID(i)
		cookie, err := objs.AddSite(&s)
		if err != nil {
			return nil, err
		}
		sites = append(sites, site{fileOff: loc.FileOff, cookie: cookie, fn: i, semaphoreOff: loc.SemaphoreOff})
	}
	m.usdtSites[i] = sites
	return sites, nil
}

// dropReturns notes that the kernel refuses the return probes of some functions.
func (m *module) dropReturns(funcs map[int]bool) {
	for i := range funcs {
		m.Funcs[i].ReturnBy, m.Funcs[i].Why = plan.Never, "the kernel refuses a breakpoint on its return instruction"
	}
}
