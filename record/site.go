//go:build linux

package record

import (
	"slices"

	"github.com/cilium/ebpf"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// site is an instruction that gets a breakpoint.
type site struct {
	fileOff      uint64
	cookie       uint64
	fn           int    // index into the module's Funcs
	inTable      bool   // its bpf.Site is in the programs' table
	semaphoreOff uint64 // file offset of the semaphore, which counts users; 0: none
}

// moduleSites are the sites of a module, by the program and the order in which they are attached.
//
// Nothing is recorded before all are attached, so the order matters in one case only: a function
// whose first instruction already leaves it (a jump to another function). Of several probes on one
// instruction the kernel runs the latest first (consumer_add in kernel/events/uprobes.c), so the
// entry must come after such an early return.
type moduleSites struct {
	early       []site // returns at the entry's instruction
	entries     []site
	trampolines []site // returns that go through the kernel's trampoline
	sessions    []site // entries together with such returns
	usdt        []site
	raised      []site // probes that only raise a semaphore
	returns     []site // return instructions, and jumps to other functions
	handoffs    []site // of goroutines; they belong to no function
}

// first returns a site of each call: that of its entry, or that of a static probe.
func (s *moduleSites) first() []site { return slices.Concat(s.entries, s.sessions, s.usdt) }

// newModuleSites creates the sites of a module. It adds those with values or conditions to the
// programs' table.
func newModuleSites(objs *bpf.Objects, m *module) (s moduleSites, err error) {
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		for _, r := range fn.Raised {
			s.raised = append(s.raised, site{fileOff: r.FileOff, cookie: bpf.QuietCookie, fn: i, semaphoreOff: r.SemaphoreOff})
		}
		if len(fn.USDTSites) > 0 {
			if err := s.addUSDT(objs, m, i); err != nil {
				return s, err
			}
			continue
		}
		if err := s.addFunc(objs, m, i); err != nil {
			return s, err
		}
	}
	for _, h := range m.Handoffs {
		s.handoffs = append(s.handoffs, site{fileOff: h.FileOff, cookie: bpf.Cookie(format.FuncID(h.Curg), h.Kind, m.Goid)})
	}
	for _, list := range [][]site{s.entries, s.trampolines, s.returns, s.early} { // a link has one program
		slices.SortStableFunc(list, func(a, b site) int { return compareBools(a.inTable, b.inTable) })
	}
	return s, nil
}

// addFunc adds the sites of a function.
func (s *moduleSites) addFunc(objs *bpf.Objects, m *module, i int) error {
	fn, id := &m.Funcs[i], m.first+format.FuncID(i)
	kind := format.Entry
	if fn.Hit {
		kind = format.Hit
	}
	entry, err := newSite(objs, fn.Entry, id, kind, m.Goid)
	if err != nil {
		return err
	}
	exit, err := newSite(objs, fn.Exit, id, format.Return, m.Goid)
	if err != nil {
		return err
	}
	jump, err := newSite(objs, withoutResult(fn.Exit), id, format.Return, m.Goid)
	if err != nil {
		return err
	}

	entry.fn, exit.fn, jump.fn = i, i, i
	entry.fileOff, exit.fileOff = fn.FileOff, fn.FileOff
	if objs.OnCall != nil && dropsAtEntry(fn) {
		entry.cookie = bpf.SessionCookie(entry.cookie, exit.cookie)
		s.sessions = append(s.sessions, entry)
		return nil
	}
	s.entries = append(s.entries, entry)
	switch fn.ReturnBy {
	case plan.ByTrampoline:
		s.trampolines = append(s.trampolines, exit)
	case plan.ByInstruction:
		s.addReturns(exit, fn.Returns, fn.FileOff)
		s.addReturns(jump, fn.TailCalls, fn.FileOff)
	}
	return nil
}

// dropsAtEntry reports whether calls of a function may be dropped at their entry, and would return
// through the kernel's trampoline.
func dropsAtEntry(fn *plan.Func) bool {
	return fn.ReturnBy == plan.ByTrampoline && fn.Entry != nil && fn.Exit != nil && fn.Entry.Flags&bpf.SitePaired != 0 && fn.Entry.NumConds > 0
}

// addUSDT adds the locations of a static probe.
func (s *moduleSites) addUSDT(objs *bpf.Objects, m *module, i int) error {
	for _, loc := range m.Funcs[i].USDTSites {
		data := loc.Site
		data.Func = m.first + format.FuncID(i)
		cookie, err := objs.AddSite(&data)
		if err != nil {
			return err
		}
		s.usdt = append(s.usdt, site{fileOff: loc.FileOff, cookie: cookie, fn: i, semaphoreOff: loc.SemaphoreOff})
	}
	return nil
}

// addReturns adds a site at each of the instructions that leave a function.
func (s *moduleSites) addReturns(at site, fileOffs []uint64, entryOff uint64) {
	for _, at.fileOff = range fileOffs {
		if at.fileOff == entryOff {
			s.early = append(s.early, at)
		} else {
			s.returns = append(s.returns, at)
		}
	}
}

// newSite returns a site of a function, without its file offset.
func newSite(objs *bpf.Objects, data *bpf.Site, id format.FuncID, kind format.Kind, goid uint16) (s site, err error) {
	if data == nil {
		return site{cookie: bpf.Cookie(id, kind, goid)}, nil
	}
	with := *data
	with.Func = id
	s.inTable = true
	s.cookie, err = objs.AddSite(&with)
	return s, err
}

// withoutResult returns the site for a jump to another function, which then returns in its place:
// the result is not known yet.
func withoutResult(exit *bpf.Site) *bpf.Site {
	if exit == nil {
		return nil
	}
	with := *exit
	for i := range with.Args[:with.NumArgs] {
		with.Args[i].From = bpf.FromNowhere
	}
	return &with
}

// sitesOf returns the sites of the functions of a set. A nil set has all.
func sitesOf(set *survey.Set, sites []site) (list []site) {
	if set == nil {
		return sites
	}
	for _, at := range sites {
		if set.Has(at.fn) {
			list = append(list, at)
		}
	}
	return list
}

// program returns the program for sites of one kind: plain, unless they are in the table.
func program(objs *bpf.Objects, plain *ebpf.Program, sites []site) *ebpf.Program {
	if sites[0].inTable {
		return objs.OnSite
	}
	return plain
}

// without returns the sites whose functions were not refused.
func without[T any](sites []site, refused map[int]T) []site {
	if len(refused) == 0 {
		return sites
	}
	return slices.DeleteFunc(slices.Clone(sites), func(s site) bool {
		_, ok := refused[s.fn]
		return ok
	})
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
