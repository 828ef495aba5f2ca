//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/linker"
	"utrace/record/internal/openfiles"
	"utrace/record/internal/proc"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// attachedProbes attaches modules, and owns the links of a recording. With an overhead limit it
// attaches a module in parts: those of its probe sets that are open, see openSet.
type attachedProbes struct {
	objs    *bpf.Objects
	linker  linker.Linker
	method  bpf.Method
	leftOut func(l format.LeftOut) // called for each function that the kernel refuses to probe
	files   []*os.File             // of modules

	mu      sync.Mutex
	links   map[int]*links            // by PID; 0: for all processes
	members map[*module]map[int]bool  // where modules are attached, by PID
	sets    map[*module][]*survey.Set // open sets of surveyed modules
	claimed map[place]bool
	pending map[place]chan struct{} // being attached; closed once that is over
	closing sync.WaitGroup
	err     error // the first of closing
}

// place is a probe set in a process. The set is nil for all functions of a module, PID 0 is all
// processes.
type place struct {
	module *module
	set    *survey.Set
	pid    int
}

func newAttachedProbes(objs *bpf.Objects, l linker.Linker, method bpf.Method, leftOut func(format.LeftOut)) *attachedProbes {
	return &attachedProbes{
		objs: objs, linker: l, method: method, leftOut: leftOut,
		links: map[int]*links{}, members: map[*module]map[int]bool{}, sets: map[*module][]*survey.Set{}, claimed: map[place]bool{}, pending: map[place]chan struct{}{},
	}
}

// attach attaches a module in a process, or (PID 0) in all: of a surveyed module its open sets. It
// returns the functions, by index, whose return probes the kernel newly refused. It does not change
// the functions, because the drainer may be reading them.
func (p *attachedProbes) attach(m *module, pid int) (noReturns map[int]bool, err error) {
	if err := p.open(m); err != nil {
		return nil, fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	p.mu.Lock()
	if p.members[m] == nil {
		p.members[m] = map[int]bool{}
	}
	p.members[m][pid] = true
	places := []place{{m, nil, pid}}
	if m.surveyed {
		places = nil
		for _, set := range p.sets[m] {
			places = append(places, place{m, set, pid})
		}
	}
	p.mu.Unlock()
	return p.attachAll(places)
}

// openSet attaches a set wherever its module is attached, and from now on in every process in which
// the module is attached later. It returns what attach returns.
func (p *attachedProbes) openSet(m *module, set *survey.Set) (noReturns map[int]bool, err error) {
	p.mu.Lock()
	p.sets[m] = append(p.sets[m], set)
	var places []place
	for pid := range p.members[m] {
		places = append(places, place{m, set, pid})
	}
	p.mu.Unlock()
	noReturns, err = p.attachAll(places)
	set.Attached.Store(true)
	return noReturns, err
}

// closeSet detaches a set everywhere. done is closed once it is.
func (p *attachedProbes) closeSet(m *module, set *survey.Set) (done <-chan struct{}) {
	set.Attached.Store(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sets[m] = slices.DeleteFunc(p.sets[m], func(s *survey.Set) bool { return s == set })
	maps.DeleteFunc(p.claimed, func(at place, _ bool) bool { return at.set == set })
	taken := p.pendingAt(func(at place) bool { return at.set == set })
	for _, its := range p.links {
		taken.add(its.take(func(l probeLink) bool { return l.set == set }))
	}
	return p.closeLocked(taken)
}

func (p *attachedProbes) attachAll(places []place) (noReturns map[int]bool, err error) {
	noReturns = map[int]bool{}
	for _, at := range places {
		refused, e := p.attachAt(at)
		maps.Copy(noReturns, refused)
		if e != nil && (at.pid == 0 || !proc.HasEnded(at.pid)) {
			err = cmp.Or(err, e)
		}
	}
	return noReturns, err
}

func (p *attachedProbes) attachAt(at place) (noReturns map[int]bool, err error) {
	p.mu.Lock()
	mine := !p.claimed[at] && p.wants(at)
	over := make(chan struct{})
	if mine {
		p.claimed[at], p.pending[at] = true, over
	}
	p.mu.Unlock()
	if !mine {
		return nil, nil
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.pending[at] == over {
			delete(p.pending, at)
		}
		if err != nil {
			delete(p.claimed, at)
		}
		close(over)
	}()
	m := at.module
	attached, refused, err := p.newLinks(at)
	if p.method == bpf.Perf && errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("attach to %s: %w: perf-event uprobes need CAP_SYS_ADMIN since the fix of CVE-2025-38466: run as root", m.Path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	if !p.add(at, attached) {
		return nil, attached.closeTogether() // whoever has removed it waits for that
	}
	p.mu.Lock()
	maps.Copy(m.noReturns, refused.returns)
	for i := range refused.entries {
		m.refused[i] = true
	}
	p.mu.Unlock()
	for i, err := range refused.entries {
		fn := &m.Funcs[i]
		p.leftOut(format.LeftOut{Name: fn.Name, Module: m.Path, Addr: fn.Addr, Reason: fmt.Sprintf("the kernel refuses a breakpoint there: %v", err)})
	}
	return refused.returns, nil
}

// wants reports whether a place is still to be attached. mu is held.
func (p *attachedProbes) wants(at place) bool {
	return p.members[at.module][at.pid] && (at.set == nil || slices.Contains(p.sets[at.module], at.set))
}

// open opens a module's file until close.
func (p *attachedProbes) open(m *module) error {
	if m.file != nil {
		return nil
	}
	err := m.open(p.objs)
	if m.file != nil {
		p.files = append(p.files, m.file)
	}
	return err
}

// refusals are the functions of a module, by index, that the kernel refused to probe.
type refusals struct {
	entries map[int]error // with the reason: not recorded at all
	returns map[int]bool  // of a return instruction: only their entries are recorded
}

// newLinks attaches the sites of a place, except those that the kernel refused before.
func (p *attachedProbes) newLinks(at place) (made links, refused refusals, err error) {
	maker := newLinkMaker(p.linker, p.method)
	a := attacher{pid: at.pid, batch: maker.batch, module: at.module, set: at.set, refused: map[int]error{}}
	refused.returns = map[int]bool{}
	p.attachSites(&a, maker, at.module, refused.returns)
	if a.err != nil {
		p.closeLater(a.links)
		return links{}, refusals{}, a.err
	}
	refused.entries = a.refused
	return a.links, refused, nil
}

// attachSites attaches the sites of a module in one process, in the order that moduleSites
// requires.
func (p *attachedProbes) attachSites(a *attacher, maker linkMaker, m *module, noReturn map[int]bool) {
	onInstruction := func(list []site) pendingLink {
		return maker.uprobe(m.Image.OpenPath, program(p.objs, p.objs.OnInstruction, list), list, a.pid)
	}
	onReturn := func(list []site) pendingLink {
		return maker.uretprobe(m.Image.OpenPath, program(p.objs, p.objs.OnReturn, list), list, a.pid)
	}
	onCall := func(list []site) pendingLink {
		return maker.session(m.Image.OpenPath, p.objs.OnCall, list, a.pid)
	}
	onUSDT := func(list []site) pendingLink {
		return maker.uprobe(m.Image.OpenPath, p.objs.OnSite, list, a.pid)
	}
	unwanted := p.unwanted(m)
	maps.Copy(unwanted, p.patchedAt(a))
	p.mu.Lock()
	noReturns := maps.Clone(m.noReturns)
	p.mu.Unlock()
	wanted := func(sites []site) []site { return without(sitesOf(a.set, sites), unwanted) }
	asked := &a.asked
	if a.set != nil { // while some of its breakpoints are placed, others cost time already
		asked.ask(a, wanted(m.sites.early), onInstruction)
		asked.ask(a, wanted(m.sites.entries), onInstruction)
		asked.ask(a, wanted(m.sites.trampolines), onReturn)
		asked.ask(a, wanted(m.sites.sessions), onCall)
		asked.ask(a, wanted(m.sites.usdt), onUSDT)
		asked.ask(a, wanted(m.sites.raised), onUSDT)
		asked.ask(a, without(wanted(m.sites.returns), noReturns), onInstruction)
		defer asked.drop()
	}
	attach := func(sites []site, to *[]probeLink, with func([]site) pendingLink) {
		a.attach(without(wanted(sites), a.refused), to, with)
	}

	attach(m.sites.early, &a.links.others, onInstruction)
	attach(m.sites.entries, &a.links.others, onInstruction)
	attach(m.sites.trampolines, &a.links.returns, onReturn)
	attach(m.sites.sessions, &a.links.returns, onCall)
	attach(m.sites.usdt, &a.links.others, onUSDT)

	entries := a.refused
	a.refused = map[int]error{}
	attach(without(m.sites.raised, entries), &a.links.others, onUSDT)
	a.refused = map[int]error{}
	attach(without(without(m.sites.returns, entries), noReturns), &a.links.others, onInstruction)
	for i := range a.refused {
		noReturn[i] = true
	}

	if a.set == nil { // without those that are refused, the waits of goroutines are not known
		a.refused = map[int]error{}
		a.attach(m.sites.handoffs, &a.links.others, onInstruction)
	}
	a.refused = entries
}

// reserveFiles makes room for the perf events of all sites: each event and its link are open files.
func (p *attachedProbes) reserveFiles(modules []*module, processes func(*module) int) error {
	if p.method != bpf.Perf {
		return nil
	}
	sites := 0
	for _, m := range modules {
		sites += m.countSites() * processes(m)
	}
	if room, err := openfiles.Reserve(openfiles.PerSite * sites); err != nil {
		return err
	} else if room < openfiles.PerSite*sites {
		return fmt.Errorf("%d probes need a perf event and a link each, but the limit of open files has room for %d: probe fewer functions, or raise the limit (ulimit -n, sysctl fs.nr_open)", sites, room/openfiles.PerSite)
	}
	return nil
}

// pendingAt returns no links yet, but those that are being attached at some places: closing them
// waits until that is over. mu is held.
func (p *attachedProbes) pendingAt(its func(place) bool) (taken links) {
	for at, over := range p.pending {
		if its(at) {
			taken.pending = append(taken.pending, over)
		}
	}
	return taken
}

// add takes over the links of a place, unless it is not to be attached any more.
func (p *attachedProbes) add(at place, more links) (wanted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wants(at) {
		return false
	}
	if p.links[at.pid] == nil {
		p.links[at.pid] = &links{}
	}
	p.links[at.pid].add(more)
	return true
}

// unwanted returns the functions of a module, by index, that the kernel has refused.
func (p *attachedProbes) unwanted(m *module) map[int]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(m.refused)
}

// patchedAt returns the functions, by index, whose code the process has changed. It reports each
// once.
func (p *attachedProbes) patchedAt(a *attacher) map[int]bool {
	if a.pid == 0 {
		return nil
	}
	m, fns := a.module, map[int]bool{}
	for _, i := range m.PatchedIn(a.pid, func(fn int) bool { return a.set == nil || a.set.Has(fn) }) {
		fns[i] = true
		p.mu.Lock()
		reported := m.patched[i]
		m.patched[i] = true
		p.mu.Unlock()
		if fn := &m.Funcs[i]; !reported {
			p.leftOut(format.LeftOut{Name: fn.Name, Module: m.Path, Addr: fn.Addr, Reason: plan.WhyPatched(a.pid)})
		}
	}
	return fns
}

// probed returns a test of whether a function of a module, by index, is attached now.
func (p *attachedProbes) probed(m *module) func(fn int) bool {
	unwanted := p.unwanted(m)
	p.mu.Lock()
	defer p.mu.Unlock()
	sets := slices.Clone(p.sets[m])
	return func(fn int) bool {
		return !unwanted[fn] && (!m.surveyed || slices.ContainsFunc(sets, func(s *survey.Set) bool { return s.Attached.Load() && s.Has(fn) }))
	}
}

// processesWith returns where a module is attached.
func (p *attachedProbes) processesWith(m *module) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.members[m]))
}

// leave notes that a module, or (nil) no module, is attached in a process any more. mu is held.
func (p *attachedProbes) leave(pid int, m *module) {
	for member, pids := range p.members {
		if m == nil || member == m {
			delete(pids, pid)
		}
	}
	maps.DeleteFunc(p.claimed, func(at place, _ bool) bool { return at.pid == pid && (m == nil || at.module == m) })
}

// takeIn returns the links for a process, which the caller closes.
func (p *attachedProbes) takeIn(pid int) links {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeLocked(pid)
}

func (p *attachedProbes) takeLocked(pid int) links {
	taken := p.pendingAt(func(at place) bool { return at.pid == pid })
	if its := p.links[pid]; its != nil {
		taken.add(*its)
	}
	delete(p.links, pid)
	p.leave(pid, nil)
	return taken
}

// takeFrom returns the links of a module for a process, which the caller closes.
func (p *attachedProbes) takeFrom(pid int, m *module) links {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.pendingAt(func(at place) bool { return at.pid == pid && at.module == m })
	p.leave(pid, m)
	if its := p.links[pid]; its != nil {
		taken.add(its.take(func(l probeLink) bool { return l.module == m }))
	}
	return taken

}

// closeLater closes links while the recording goes on. done is closed when they are.
func (p *attachedProbes) closeLater(taken links) (done <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closeLocked(taken)
}

// removeTimeout is how long removeNow waits. The kernel removes the breakpoints of a link first,
// and then waits for calls whose return probe is pending in any process, which can last as long as
// its main.
const removeTimeout = 200 * time.Millisecond

// removeNow closes links, and returns once their breakpoints are gone.
func (p *attachedProbes) removeNow(taken links) {
	select {
	case <-p.closeLater(taken):
	case <-time.After(removeTimeout):
	}
}

// forgetIn closes the links for a process that has ended.
func (p *attachedProbes) forgetIn(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked(p.takeLocked(pid))
}

// closeLocked closes links concurrently: a breakpoint stays until its last link is closed. mu is
// held.
func (p *attachedProbes) closeLocked(taken links) (done <-chan struct{}) {
	closed := make(chan struct{})
	if taken.count()+len(taken.pending) == 0 {
		close(closed)
		return closed
	}
	p.closing.Go(func() {
		defer close(closed)
		if err := taken.closeTogether(); err != nil {
			p.mu.Lock()
			p.err = cmp.Or(p.err, err)
			p.mu.Unlock()
		}
	})
	return closed
}

func (p *attachedProbes) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, its := range p.links {
		n += its.count()
	}
	return n
}

// close detaches all remaining probes.
func (p *attachedProbes) close() error {
	p.mu.Lock()
	var left links
	for _, its := range p.links {
		left.add(*its)
	}
	clear(p.links)
	clear(p.members)
	p.mu.Unlock()
	err := left.close()
	p.closing.Wait()
	for _, file := range p.files {
		err = cmp.Or(err, file.Close())
	}
	p.files = nil
	if err = cmp.Or(err, p.err); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}
