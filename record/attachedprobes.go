//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/linker"
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

	mu      sync.Mutex
	links   links
	removed map[format.FuncID]bool // first functions of links
	closing sync.WaitGroup
	err     error // the first of closing
}

// attach attaches a module in some processes, or in all. It returns the functions, by index, whose
// return probes the kernel refused. It does not change the functions, because the drainer may be
// reading them.
func (p *attachedProbes) attach(m *module, pids []int) (noReturn map[int]bool, err error) {
	attached, refused, err := p.newLinks(m, pids)
	if p.method == bpf.Perf && errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("attach to %s: %w: perf-event uprobes need CAP_SYS_ADMIN since the fix of CVE-2025-38466: run as root", m.Path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	p.add(attached)
	for i, err := range refused.entries {
		if m.refused[i] {
			continue
		}
		m.refused[i] = true
		fn := m.Funcs[i]
		p.leftOut(format.LeftOut{Name: fn.Name, Module: m.Path, Addr: fn.Addr, Reason: fmt.Sprintf("the kernel refuses a breakpoint there: %v", err)})
	}
	return refused.returns, nil
}

// refusals are the functions of a module, by index, that the kernel refused to probe.
type refusals struct {
	entries map[int]error // with the reason: not recorded at all
	returns map[int]bool  // of a return instruction: only their entries are recorded
}

// newLinks attaches the sites of a module.
func (p *attachedProbes) newLinks(m *module, pids []int) (made links, refused refusals, err error) {
	if m.Goid != 0 {
		if err := p.objs.SetGoidOffset(m.Goid); err != nil {
			return links{}, refusals{}, err
		}
	}
	sites, err := newModuleSites(p.objs, m)
	if err != nil {
		return links{}, refusals{}, err
	}
	if len(pids) == 0 {
		pids = []int{0} // every process
	}

	maker := newLinkMaker(p.linker, p.method)
	a := attacher{batch: maker.batch, first: m.first, share: m.share, refused: map[int]error{}}
	refused.returns = map[int]bool{}
	for _, pid := range pids {
		a.pid = pid
		p.attachSites(&a, maker, m.Image.OpenPath, sites, refused.returns)
		if a.err != nil {
			return links{}, refusals{}, errors.Join(a.err, a.links.close())
		}
	}
	refused.entries = a.refused
	return a.links, refused, nil
}

// attachSites attaches the sites of a module in one process, in the order that moduleSites
// requires.
func (p *attachedProbes) attachSites(a *attacher, maker linkMaker, path string, sites moduleSites, noReturn map[int]bool) {
	onInstruction := func(list []site) pendingLink {
		return maker.uprobe(path, program(p.objs, p.objs.OnInstruction, list), list, a.pid)
	}
	onReturn := func(list []site) pendingLink {
		return maker.uretprobe(path, program(p.objs, p.objs.OnReturn, list), list, a.pid)
	}
	onUSDT := func(list []site) pendingLink { return maker.uprobe(path, p.objs.OnSite, list, a.pid) }

	a.attach(sites.early, &a.links.others, onInstruction)
	a.attach(sites.entries, &a.links.others, onInstruction)
	a.attach(without(sites.trampolines, a.refused), &a.links.returns, onReturn)
	a.attach(sites.usdt, &a.links.others, onUSDT)

	entries := a.refused
	a.refused = map[int]error{}
	a.attach(without(sites.raised, entries), &a.links.others, onUSDT)
	a.refused = map[int]error{}
	a.attach(without(sites.returns, entries), &a.links.others, onInstruction)
	for i := range a.refused {
		noReturn[i] = true
	}
	a.refused = entries
}

// reserveFiles makes room for the perf events of all sites: each event and its link are open files.
func (p *attachedProbes) reserveFiles(modules []*module, pids func(*module) []int) error {
	if p.method != bpf.Perf {
		return nil
	}
	sites := 0
	for _, m := range modules {
		sites += m.countSites() * max(1, len(pids(m)))
	}
	if room, err := reserveFiles(filesPerSite * sites); err != nil {
		return err
	} else if room < filesPerSite*sites {
		return fmt.Errorf("%d probes need a perf event and a link each, but the limit of open files has room for %d: probe fewer functions, or raise the limit (ulimit -n, sysctl fs.nr_open)", sites, room/filesPerSite)
	}
	return nil
}

// shareLinks decides how many functions of modules share their links. Without an overhead limit all
// do. With a limit each function has links of its own, as far as the limit of open files allows:
// functions that share links are removed together. reserve is set if more modules may come later.
//
// Measured on Linux 6.18 with 9,000 functions and two CPUs: a link for each function attaches in
// 0.2 to 0.8 s and detaches in 1.5 to 3 s. One link for all takes 0.16 s and 0.3 s. Rejected:
// re-attaching all functions but one, then detaching the first link. While both are attached, each
// call would be recorded twice.
func (p *attachedProbes) shareLinks(modules []*module, pids func(*module) []int, reserve bool) error {
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
			n += m.countLinks(share) * max(1, len(pids(m)))
		}
		return n
	}
	room, err := reserveFiles(links(1))
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

func (p *attachedProbes) add(more links) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links.add(more)
	for fn := range p.removed { // they were removed while this was being attached
		p.closeLocked(p.links.take(func(l probeLink) bool { return l.fn == fn }))
	}
}

// remove closes the links of functions, each given by the first function that shares them.
func (p *attachedProbes) remove(fns []format.FuncID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.removed == nil {
		p.removed = map[format.FuncID]bool{}
	}
	var taken links
	for _, fn := range fns {
		p.removed[fn] = true
		taken.add(p.links.take(func(l probeLink) bool { return l.fn == fn }))
	}
	p.closeLocked(taken)
}

// removeIn closes the links for a process, and returns once its breakpoints are gone.
func (p *attachedProbes) removeIn(pid int) error {
	p.mu.Lock()
	taken := p.links.take(func(l probeLink) bool { return l.pid == pid })
	p.mu.Unlock()
	return taken.close()
}

// forgetIn closes the links for a process that has ended, or whose first thread has ended.
func (p *attachedProbes) forgetIn(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked(p.links.take(func(l probeLink) bool { return l.pid == pid }))
}

// closeLocked closes links concurrently: a breakpoint stays until its last link is closed. mu is
// held.
func (p *attachedProbes) closeLocked(taken links) {
	all := append(taken.returns, taken.others...)
	if len(all) == 0 {
		return
	}
	p.closing.Go(func() {
		if err := linker.CloseAll(all); err != nil {
			p.mu.Lock()
			p.err = cmp.Or(p.err, err)
			p.mu.Unlock()
		}
	})
}

func (p *attachedProbes) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.links.count()
}

// close detaches all remaining probes.
func (p *attachedProbes) close() error {
	p.mu.Lock()
	left := p.links
	p.links = links{}
	p.mu.Unlock()
	err := left.close()
	p.closing.Wait()
	if err = cmp.Or(err, p.err); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}
