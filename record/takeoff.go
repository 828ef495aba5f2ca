//go:build linux

package record

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// limit takes off what costs too much, when it is time to look.
func (r *recording) limit(now time.Time) error {
	l := r.limiter
	if l == nil || now.Before(l.due) {
		return nil
	}
	l.interval = min(2*l.interval, maxCheck)
	defer func() { l.due = now.Add(l.interval) }()
	counts, err := r.objs.Hits()
	if err != nil {
		return err
	}
	r.correctHits(counts)
	verdicts, gone := l.judge(counts, r.planned)
	for _, pid := range gone {
		for key, h := range counts {
			if key.TGID != pid {
				continue
			}
			l.past[key.Func] += h.Entries + h.Returns
			if err := r.objs.ForgetHits(key); err != nil {
				return err
			}
		}
	}
	return r.takeOff(verdicts)
}

// planned returns the function of a number in records, nil for that of the calibration.
func (r *recording) planned(fn format.FuncID) *plan.Func {
	if funcs := r.drainer.catalog.funcs; int(fn) < len(funcs) {
		return funcs[fn].planned
	}
	return nil
}

// takeOff takes functions off: from one moment on they record nothing in any process, and then
// their breakpoints are removed, while the recording goes on.
func (r *recording) takeOff(verdicts []verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	var groups []format.FuncID
	for _, v := range verdicts {
		percent := 100 * float64(v.spent) / float64(v.used)
		off := format.TakenOff{
			PID: int(v.pid), OverheadPercent: math.Round(10*percent) / 10,
			Reason: fmt.Sprintf("its hits cost process %d (%s) %.1f%% of %.0f ms of CPU time; the limit for all is %.4g%%",
				v.pid, proc.Comm(int(v.pid)), percent, v.used.Seconds()*1e3, 100*r.limiter.max),
		}
		first, next := r.drainer.catalog.group(v.fn)
		for fn := first; fn < next; fn++ {
			if _, done := r.limiter.off[fn]; done {
				continue
			}
			if err := r.objs.RemoveFunc(fn); err != nil {
				return err
			}
			its := off
			its.Func, its.TimeNs = r.drainer.catalog.funcs[fn].id, sinceStart(monotonicNs(), uint64(r.start.MonoNs))
			if fn != v.fn {
				its.OverheadPercent = 0
				its.Reason = fmt.Sprintf("the limit of open files (ulimit -n) has it share a link with %s, which was taken off", r.planned(v.fn).Name)
			}
			r.limiter.off[fn] = &offFunc{TakenOff: its}
		}
		groups = append(groups, first)
	}
	counts, err := r.objs.Hits()
	if err != nil {
		return err
	}
	r.correctHits(counts)
	r.probes.remove(groups)
	return nil
}

// correctHits brings the hits of what is off up to date. The programs may still have been counting some when it
// was taken off.
func (r *recording) correctHits(counts map[bpf.HitsKey]bpf.Hits) {
	for _, fn := range slices.Sorted(maps.Keys(r.limiter.off)) {
		off := r.limiter.off[fn]
		if hits := r.limiter.hits(counts, fn); hits != off.Hits || !off.told {
			off.Hits, off.told = hits, true
			r.w.AddTakenOff(off.TakenOff)
		}
	}
}

// takenOff brings the trace up to date at the end, and returns what is off, by its name.
func (r *recording) takenOff() ([]TakenOff, error) {
	if r.limiter == nil {
		return nil, nil
	}
	counts, err := r.objs.Hits()
	if err != nil {
		return nil, err
	}
	r.correctHits(counts)
	var list []TakenOff
	for fn, off := range r.limiter.off {
		f := r.planned(fn)
		list = append(list, TakenOff{Name: cmp.Or(f.USDT, f.Name), Off: off.TakenOff})
	}
	slices.SortFunc(list, func(a, b TakenOff) int {
		return cmp.Or(cmp.Compare(b.Off.Hits, a.Off.Hits), cmp.Compare(a.Off.Func, b.Off.Func))
	})
	return list, nil
}

// attachedProbes are the links of a recording. Those of functions that are taken off are closed while it
// goes on, which can take as long as a call that a return probe follows.
type attachedProbes struct {
	mu      sync.Mutex
	links   links
	off     map[format.FuncID]bool // first functions of links
	closing sync.WaitGroup
	err     error // of closing
}

func (p *attachedProbes) add(more links) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links.add(more)
	for fn := range p.off { // taken off while this was being attached
		p.closeLocked(p.links.take(func(l probeLink) bool { return l.fn == fn }))
	}
}

// remove closes the links of functions, each the first of those that share them.
func (p *attachedProbes) remove(fns []format.FuncID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off == nil {
		p.off = map[format.FuncID]bool{}
	}
	var taken links
	for _, fn := range fns {
		p.off[fn] = true
		taken.add(p.links.take(func(l probeLink) bool { return l.fn == fn }))
	}
	p.closeLocked(taken)
}

// removeIn closes the links for a process, and returns when its breakpoints are gone.
func (p *attachedProbes) removeIn(pid int) error {
	p.mu.Lock()
	taken := p.links.take(func(l probeLink) bool { return l.pid == pid })
	p.mu.Unlock()
	return taken.close()
}

// forgetIn closes the links for a process that has ended, or whose first thread has.
func (p *attachedProbes) forgetIn(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked(p.links.take(func(l probeLink) bool { return l.pid == pid }))
}

// closeLocked closes links at the same time: a breakpoint stays until its last link is closed.
func (p *attachedProbes) closeLocked(taken links) {
	all := append(taken.returns, taken.others...)
	if len(all) == 0 {
		return
	}
	p.closing.Go(func() {
		if err := closeAll(all); err != nil {
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

// close detaches all that is left.
func (p *attachedProbes) close() error {
	p.mu.Lock()
	left := p.links
	p.links = links{}
	p.mu.Unlock()
	err := left.close()
	p.closing.Wait()
	return cmp.Or(err, p.err)
}

// shareLinks decides how many functions of modules that are to be attached share their links: with a limit, none,
// as long as the limit of open files allows it. Else those that share are taken off together.
func (r *recording) shareLinks(modules []*module) error {
	if r.cfg.MaxOverhead == 0 {
		return nil
	}
	if r.method == bpf.Perf { // each site has a link anyway
		for _, m := range modules {
			m.share = 1
		}
		return nil
	}
	links := func(share int) (n int) {
		for _, m := range modules {
			n += m.countLinks(share) * max(1, len(r.pids(m)))
		}
		return n
	}
	room, err := reserveFiles(links(1))
	if err != nil {
		return err
	}
	if r.follower != nil {
		room /= 2 // for what appears later
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
