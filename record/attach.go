//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// site is a place for a breakpoint.
type site struct {
	fileOff      uint64
	cookie       uint64
	fn           int    // index into the module's Funcs
	data         bool   // for the program that goes by a bpf.Site
	semaphoreOff uint64 // file offset of what counts its users, 0 for none
}

// countSites returns how many sites attach would attach in one process.
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

// countLinks returns how many links attach makes in one process if so many functions share them.
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

// attach attaches a module's probes. It returns what the kernel refused. It changes nothing of the
// functions, which the drainer may be reading.
//
// Nothing is recorded before all is attached, so the order matters in one case only:
// a function whose first instruction already leaves it (a jump to another function).
// Of several probes on one instruction the kernel runs the latest first
// (consumer_add in kernel/events/uprobes.c), so the entry must come after the return.
//
// share is how many functions get links in common, 0 for all. Where functions are to be taken off one by
// one it is 1. Measured on
// Linux 6.18 with 9,000 functions, two CPUs: a link for each is attached in 0.2 to 0.8 s and detached in 1.5 to
// 3 s, one link for all in 0.16 and 0.3 s. The other way, to attach all but one a second time and
// detach the first link, would have to tell which of the two sees a call, while both see it.
func attach(objs *bpf.Objects, method bpf.Method, m *module, pids []int, share int) (attached links, not refused, err error) {
	ex, err := link.OpenExecutable(m.Image.OpenPath)
	if err != nil {
		return links{}, refused{}, err
	}
	if m.Goid != 0 {
		if err := objs.SetGoidOffset(m.Goid); err != nil {
			return links{}, refused{}, err
		}
	}
	var entries, trampolines, returns, early, statics, raised []site
	for i, fn := range m.Funcs {
		id := m.first + format.FuncID(i)
		for _, r := range fn.Raised {
			raised = append(raised, site{fileOff: r.FileOff, cookie: bpf.QuietCookie, fn: i, semaphoreOff: r.SemaphoreOff})
		}
		if len(fn.USDTSites) > 0 {
			if m.usdtSites == nil {
				m.usdtSites = map[int][]site{}
			}
			if m.usdtSites[i] == nil {
				if m.usdtSites[i], err = staticSites(objs, fn.USDTSites, id, i); err != nil {
					return links{}, refused{}, err
				}
			}
			statics = append(statics, m.usdtSites[i]...)
			continue
		}
		kind := format.Entry
		if fn.Hit {
			kind = format.Hit
		}
		entry, err := newSite(objs, fn.Entry, id, kind, m.Goid)
		if err != nil {
			return links{}, refused{}, err
		}
		exit, err := newSite(objs, fn.Exit, id, format.Return, m.Goid)
		if err != nil {
			return links{}, refused{}, err
		}
		jump, err := newSite(objs, resultless(fn.Exit), id, format.Return, m.Goid)
		if err != nil {
			return links{}, refused{}, err
		}
		entry.fn, exit.fn, jump.fn = i, i, i
		entry.fileOff, exit.fileOff = fn.FileOff, fn.FileOff
		entries = append(entries, entry)
		switch fn.ReturnBy {
		case plan.ByTrampoline:
			trampolines = append(trampolines, exit)
		case plan.ByInstruction:
			end := func(s site, offs []uint64) {
				for _, off := range offs {
					if s.fileOff = off; off == fn.FileOff {
						early = append(early, s)
					} else {
						returns = append(returns, s)
					}
				}
			}
			end(exit, fn.Returns)
			end(jump, fn.TailCalls)
		}
	}
	for _, list := range [][]site{entries, trampolines, returns, early} { // a link has one program
		slices.SortStableFunc(list, func(a, b site) int {
			return cmp.Or(cmp.Compare(group(a.fn, share), group(b.fn, share)), compareBools(a.data, b.data))
		})
	}
	if len(pids) == 0 {
		pids = []int{0} // every process
	}
	w := newWay(method)
	a := attacher{batch: w.batch, first: m.first, share: share, refused: map[int]error{}}
	not.returns = map[int]bool{}
	for _, pid := range pids {
		a.pid = pid
		onInstruction := func(sites []site) (link.Link, error) {
			return w.uprobe(ex, program(objs, objs.OnInstruction, sites), sites, pid)
		}
		onReturn := func(sites []site) (link.Link, error) {
			return w.uretprobe(ex, program(objs, objs.OnReturn, sites), sites, pid)
		}
		a.attach(early, &a.links.others, onInstruction)
		a.attach(entries, &a.links.others, onInstruction)
		a.attach(without(trampolines, a.refused), &a.links.returns, onReturn)
		onStatic := func(sites []site) (link.Link, error) { return w.uprobe(ex, objs.OnSite, sites, pid) }
		a.attach(statics, &a.links.others, onStatic)
		refusedEntries := a.refused
		a.refused = map[int]error{}
		a.attach(without(raised, refusedEntries), &a.links.others, onStatic)
		a.refused = map[int]error{}
		a.attach(without(returns, refusedEntries), &a.links.others, onInstruction)
		for i := range a.refused {
			not.returns[i] = true
		}
		a.refused = refusedEntries
		if a.err != nil {
			return links{}, refused{}, errors.Join(a.err, a.links.close())
		}
	}
	not.entries = a.refused
	return a.links, not, nil
}

// refused are functions of a module, by their index, that the kernel refused to probe.
type refused struct {
	entries map[int]error // with its reason: nothing of these is recorded
	returns map[int]bool  // a return instruction: of these only the entries are
}

// withoutReturns takes note that no return of some functions is recorded.
func (m *module) withoutReturns(funcs map[int]bool) {
	for i := range funcs {
		m.Funcs[i].ReturnBy, m.Funcs[i].Why = plan.Never, "the kernel refuses a breakpoint on its return instruction"
	}
}

// newSite returns a site of a function, whose place is still to be set.
func newSite(objs *bpf.Objects, data *bpf.Site, id format.FuncID, kind format.Kind, goid uint16) (s site, err error) {
	if data == nil {
		return site{cookie: bpf.Cookie(id, kind, goid)}, nil
	}
	with := *data
	with.Func = id
	s.data = true
	s.cookie, err = objs.AddSite(&with)
	return s, err
}

// resultless returns what to do where a function jumps to another one, which then returns for it: what it returns is not known yet.
func resultless(exit *bpf.Site) *bpf.Site {
	if exit == nil {
		return nil
	}
	with := *exit
	for i := range with.Args[:with.NumArgs] {
		with.Args[i].From = bpf.FromNowhere
	}
	return &with
}

// program returns the program for sites, all of which are of one kind: this one, unless they are data.
func program(objs *bpf.Objects, plain *ebpf.Program, sites []site) *ebpf.Program {
	if sites[0].data {
		return objs.OnSite
	}
	return plain
}

// staticSites makes the locations of a static probe known to the kernel's programs.
func staticSites(objs *bpf.Objects, locations []plan.USDTSite, id format.FuncID, fn int) ([]site, error) {
	var sites []site
	for _, loc := range locations {
		s := loc.Site
		s.Func = id
		cookie, err := objs.AddSite(&s)
		if err != nil {
			return nil, err
		}
		sites = append(sites, site{fileOff: loc.FileOff, cookie: cookie, fn: fn, semaphoreOff: loc.SemaphoreOff})
	}
	return sites, nil
}

func without(sites []site, refused map[int]error) []site {
	var list []site
	for _, s := range sites {
		if _, ok := refused[s.fn]; !ok {
			list = append(list, s)
		}
	}
	return list
}

// group returns the first of the functions that share links with one, by their indexes.
func group(fn, share int) int {
	if share == 0 {
		return 0
	}
	return fn / share * share
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

// attach attaches all modules, and takes note of what the kernel refused.
func (r *recording) attach() error {
	if r.method == bpf.Perf {
		sites := 0
		for _, m := range r.modules {
			sites += m.countSites() * max(1, len(r.pids(m)))
		}
		if room, err := reserveFiles(filesPerSite * sites); err != nil {
			return err
		} else if room < filesPerSite*sites {
			return fmt.Errorf("%d probes need a perf event and a link each, and the limit of open files has room for %d: probe fewer functions, or raise the limit (ulimit -n, sysctl fs.nr_open)", sites, room/filesPerSite)
		}
	}
	if err := r.shareLinks(r.modules); err != nil {
		return err
	}
	first := 0
	for _, m := range r.modules {
		pids := r.pids(m)
		if r.cfg.Follow {
			pids = nil
		}
		m.first = format.FuncID(first)
		if m.PerProcess {
			if err := r.follower.guard.add(m); err != nil {
				return err
			}
			first += len(m.Funcs)
			continue
		}
		endless, err := r.attachModule(m, pids)
		if err != nil {
			return err
		}
		m.withoutReturns(endless)
		first += len(m.Funcs)
	}
	guarded := r.plan.NeedsPerProcess()
	if guarded {
		command := 0
		if r.command != nil {
			command = r.command.pid
		}
		if err := r.follower.guard.start(r.cfg.PIDs, command); err != nil {
			return err
		}
	}
	r.noticeDetach("when the recording ends, detaching")
	if r.probes.count() == 0 && len(r.plan.Pending) == 0 && !guarded {
		return fmt.Errorf("%w: the kernel refused all probes, such as %s: %s", plan.ErrNothing, r.plan.LeftOut[0].Name, r.plan.LeftOut[0].Reason)
	}
	return nil
}

// attachModule attaches a module in some processes, or in all. What the kernel refuses is left out of the plan, once. It returns the functions, by their index, whose
// return the kernel refused.
func (r *recording) attachModule(m *module, pids []int) (endless map[int]bool, err error) {
	attached, not, err := attach(r.objs, r.method, m, pids, m.share)
	if r.method == bpf.Perf && errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("attach to %s: %w: perf-event uprobes need CAP_SYS_ADMIN since the repair of CVE-2025-38466: run utrace as root", m.Path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	r.probes.add(attached)
	if m.refused == nil {
		m.refused = map[int]bool{}
	}
	for i, err := range not.entries {
		if m.refused[i] {
			continue
		}
		m.refused[i] = true
		fn := m.Funcs[i]
		r.plan.LeftOut = append(r.plan.LeftOut, format.LeftOut{Name: fn.Name, Module: m.Path, Addr: fn.Addr, Reason: fmt.Sprintf("the kernel refuses a breakpoint there: %v", err)})
	}
	return not.returns, nil
}

// attachLater attaches a module that was found while recording, in all processes
// that are recorded and have not ended. The drainer may know of it already: what is found out about the module is
// for it to note.
func (r *recording) attachLater(m *module) error {
	pids := []int{0} // every process
	if !r.cfg.Follow && len(r.targets) > 0 {
		pids = r.targets
	}
	endless := map[int]bool{}
	for _, pid := range pids {
		if pid != 0 && proc.HasEnded(pid) {
			continue
		}
		more, err := r.attachModule(m, []int{pid})
		if err != nil && (pid == 0 || !proc.HasEnded(pid)) {
			return err
		}
		maps.Copy(endless, more)
	}
	if len(endless) > 0 {
		r.drainer.definitions.add(func(*catalog) { m.withoutReturns(endless) })
	}
	return nil
}
