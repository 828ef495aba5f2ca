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
)

// attachedProbes attaches modules, and owns the links of a recording. It closes the links of
// removed functions during the recording. That can take as long as a call whose return probe is
// pending.
type attachedProbes struct {
	objs    *bpf.Objects
	linker  linker.Linker
	method  bpf.Method
	limited bool                   // functions may be removed one by one
	leftOut func(l format.LeftOut) // called for each function that the kernel refuses to probe
	files   []*os.File             // of modules

	mu      sync.Mutex
	links   map[int]*links         // by PID; 0: for all processes
	removed map[format.FuncID]bool // first functions of links
	closing sync.WaitGroup
	err     error // the first of closing
}

// attach attaches a module in a process, or (PID 0) in all. It returns the functions, by index,
// whose return probes the kernel newly refused. It does not change the functions, because the
// drainer may be reading them.
func (p *attachedProbes) attach(m *module, pid int) (noReturns map[int]bool, err error) {
	attached, refused, err := p.newLinks(m, pid)
	if p.method == bpf.Perf && errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("attach to %s: %w: perf-event uprobes need CAP_SYS_ADMIN since the fix of CVE-2025-38466: run as root", m.Path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	p.add(pid, attached)
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

// newLinks attaches the sites of a module, except those that the kernel refused before.
func (p *attachedProbes) newLinks(m *module, pid int) (made links, refused refusals, err error) {
	if err := p.open(m); err != nil {
		return links{}, refusals{}, err
	}
	maker := newLinkMaker(p.linker, p.method)
	a := attacher{pid: pid, batch: maker.batch, module: m, refused: map[int]error{}}
	refused.returns = map[int]bool{}
	p.attachSites(&a, maker, m, refused.returns)
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
	onUSDT := func(list []site) pendingLink {
		return maker.uprobe(m.Image.OpenPath, p.objs.OnSite, list, a.pid)
	}
	unwanted := p.unwanted(m)
	attach := func(sites []site, to *[]probeLink, with func([]site) pendingLink) {
		a.attach(without(without(sites, unwanted), a.refused), to, with)
	}

	attach(m.sites.early, &a.links.others, onInstruction)
	attach(m.sites.entries, &a.links.others, onInstruction)
	attach(m.sites.trampolines, &a.links.returns, onReturn)
	attach(m.sites.usdt, &a.links.others, onUSDT)

	entries := a.refused
	a.refused = map[int]error{}
	attach(without(m.sites.raised, entries), &a.links.others, onUSDT)
	a.refused = map[int]error{}
	attach(without(without(m.sites.returns, entries), m.noReturns), &a.links.others, onInstruction)
	for i := range a.refused {
		noReturn[i] = true
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

// shareLinks decides how many functions of modules share their links. Without an overhead limit all
// do. With a limit each function has links of its own, as far as the limit of open files allows:
// functions that share links are removed together. processes returns in how many processes a module
// is attached. reserve is set if more modules may come later.
//
// Measured on Linux 6.18 with 9,000 functions and two CPUs: a link for each function attaches in
// 0.2 to 0.8 s and detaches in 1.5 to 3 s. One link for all takes 0.16 s and 0.3 s. Rejected:
// re-attaching all functions but one, then detaching the first link. While both are attached, each
// call would be recorded twice.
func (p *attachedProbes) shareLinks(modules []*module, processes func(*module) int, reserve bool) error {
	if !p.limited {
		return nil
	}
	if p.method == bpf.Perf { // each site has a link anyway
		for _, m := range modules {
			m.share = 1
		}
		return nil
	}
	links := func(share int) (n int) {
		for _, m := range modules {
			n += m.countLinks(share) * processes(m)
		}
		return n
	}
	room, err := openfiles.Reserve(links(1))
	if err != nil {
		return err
	}
	if reserve {
		room /= 2
	}
	share := 1
	for links(share) > room && share < 1<<20 {
		share *= 2
	}
	for _, m := range modules {
		m.share = share
	}
	return nil
}

// add takes over the links for a process.
func (p *attachedProbes) add(pid int, more links) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links == nil {
		p.links = map[int]*links{}
	}
	if p.links[pid] == nil {
		p.links[pid] = &links{}
	}
	p.links[pid].add(more)
	if len(p.removed) > 0 { // functions that were removed while this was being attached
		p.closeLocked(p.links[pid].take(func(l probeLink) bool { return p.removed[l.fn] }))
	}
}

// remove closes the links of functions, each given by the first function that shares them.
func (p *attachedProbes) remove(fns []format.FuncID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.removed == nil {
		p.removed = map[format.FuncID]bool{}
	}
	for _, fn := range fns {
		p.removed[fn] = true
	}
	for _, its := range p.links {
		p.closeLocked(its.take(func(l probeLink) bool { return slices.Contains(fns, l.fn) }))
	}
}

// unwanted returns the functions of a module, by index, that are not to be attached: the kernel has
// refused them, or they were removed.
func (p *attachedProbes) unwanted(m *module) map[int]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := maps.Clone(m.refused)
	if len(p.removed) > 0 {
		for fn := range m.Funcs {
			if p.removed[m.first+format.FuncID(group(fn, m.share))] {
				list[fn] = true
			}
		}
	}
	return list
}

// takeIn returns the links for a process, which the caller closes.
func (p *attachedProbes) takeIn(pid int) links {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.takeLocked(pid)
}

func (p *attachedProbes) takeLocked(pid int) links {
	taken := p.links[pid]
	delete(p.links, pid)
	if taken == nil {
		return links{}
	}
	return *taken
}

// takeFrom returns the links of a module for a process, which the caller closes.
func (p *attachedProbes) takeFrom(pid int, m *module) links {
	p.mu.Lock()
	defer p.mu.Unlock()
	its := p.links[pid]
	if its == nil {
		return links{}
	}
	return its.take(func(l probeLink) bool { return l.module == m })
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
	if taken.count() == 0 {
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
	p.links = nil
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
