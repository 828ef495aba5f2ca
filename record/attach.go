//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
)

// site is a place for a breakpoint.
type site struct {
	fileOff      uint64
	cookie       uint64
	fn           int    // index into the module's Funcs
	data         bool   // for the program that goes by a bpf.Site
	semaphoreOff uint64 // file offset of what counts its users, 0 for none
}

// links are the attached probes of a recording.
type links struct {
	returns []probeLink // return probes of the kernel's kind
	others  []probeLink
}

// probeLink is a link of one function, or of several that share it.
type probeLink struct {
	link.Link
	fn format.FuncID // the first of them, as the programs number them
}

func (l links) count() int { return len(l.returns) + len(l.others) }

func (l *links) add(more links) {
	l.returns = append(l.returns, more.returns...)
	l.others = append(l.others, more.others...)
}

// take removes the links of a function, or of those of which it is the first, and returns them.
func (l *links) take(fn format.FuncID) (taken links) {
	its := func(p probeLink) bool { return p.fn == fn }
	for _, list := range []struct{ from, to *[]probeLink }{{&l.returns, &taken.returns}, {&l.others, &taken.others}} {
		for _, p := range *list.from {
			if its(p) {
				*list.to = append(*list.to, p)
			}
		}
		*list.from = slices.DeleteFunc(*list.from, its)
	}
	return taken
}

// close detaches all probes, the return probes first and all at once.
//
// The kernel waits for calls that a return probe is following to return, unless none has been
// started in their thread for 100 ms (ri_timer in kernel/events/uprobes.c, since
// 6.13; each call sets it back). Seen on Linux 6.18: detached one link after the other, a
// program that calls a traced function every 10 ms kept the recorder until its main had returned.
// Perf events wait together for what does not need event_mutex: with a hundred of them that takes a third less.
func (l links) close() error {
	return errors.Join(closeAll(l.returns), closeAll(l.others))
}

// closers is how many links are closed at the same time, each by a thread that
// waits for the kernel.
const closers = 1000

func closeAll(list []probeLink) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(closers, len(list)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				errs[i] = list[i].Close()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// perfCloseTime is how long it can take to close one of many perf events: the kernel
// waits for several RCU grace periods, one event after the other (perf_uprobe_destroy
// holds event_mutex). Measured with 2,000: 44 ms each on Linux 6.1, emulated; 125 ms on 6.18.
const perfCloseTime = 125 * time.Millisecond

// way attaches one program to sites of a file, in one process or (0) in all, with one link.
type way struct {
	batch  int // how many sites one link can have
	uprobe func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error)
	// uretprobe is the same for a function's return.
	uretprobe func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error)
}

// newWay returns one of the two that the kernel has. Both keep to the order of attach: each
// makes a consumer of its own for each site.
func newWay(method bpf.Method) way {
	if method == bpf.Perf {
		return way{
			batch: 1,
			uprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
				return ex.Uprobe("", prog, perfOptions(sites[0], pid))
			},
			uretprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
				return ex.Uretprobe("", prog, perfOptions(sites[0], pid))
			},
		}
	}
	return way{
		batch: math.MaxInt,
		uprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
			return ex.UprobeMulti(nil, prog, multiOptions(sites, pid))
		},
		uretprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
			return ex.UretprobeMulti(nil, prog, multiOptions(sites, pid))
		},
	}
}

func multiOptions(sites []site, pid int) *link.UprobeMultiOptions {
	opts := &link.UprobeMultiOptions{PID: uint32(pid)}
	for _, s := range sites {
		opts.Addresses = append(opts.Addresses, s.fileOff)
		opts.Cookies = append(opts.Cookies, s.cookie)
		opts.RefCtrOffsets = append(opts.RefCtrOffsets, s.semaphoreOff)
	}
	if !slices.ContainsFunc(sites, func(s site) bool { return s.semaphoreOff != 0 }) {
		opts.RefCtrOffsets = nil
	}
	return opts
}

func perfOptions(s site, pid int) *link.UprobeOptions {
	return &link.UprobeOptions{Address: s.fileOff, Cookie: s.cookie, PID: pid, RefCtrOffset: s.semaphoreOff}
}

// countSites returns how many sites attach would attach in one process.
func (m *PlannedModule) countSites() int {
	n := len(m.Funcs)
	for _, fn := range m.Funcs {
		n += max(0, len(fn.Statics)-1) + len(fn.Raised)
		switch fn.ReturnBy {
		case ByTrampoline:
			n++
		case ByInstruction:
			n += len(fn.Returns) + len(fn.TailCalls)
		}
	}
	return n
}

// countLinks returns how many links attach makes in one process if so many functions share them.
func (m *PlannedModule) countLinks(share int) (n int) {
	for funcs := range slices.Chunk(m.Funcs, share) {
		kinds := map[any]bool{}
		for _, fn := range funcs {
			switch {
			case len(fn.Statics) > 0:
				kinds["static"] = true
			case fn.entry != nil:
				kinds["entry with values"] = true
			default:
				kinds["entry"] = true
			}
			if fn.exit != nil {
				kinds["exit with values"] = true
			}
			if len(fn.Raised) > 0 {
				kinds["raised"] = true
			}
			if fn.ReturnBy != Never {
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

// attach attaches a module's probes. It
// returns the functions whose entry the kernel refused, by their index, with
// its reason. A return instruction that is refused costs the function its return.
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
func attach(objs *bpf.Objects, method bpf.Method, m *PlannedModule, pids []int, share int) (attached links, refused map[int]error, err error) {
	ex, err := link.OpenExecutable(m.image.open)
	if err != nil {
		return links{}, nil, err
	}
	var entries, trampolines, returns, early, statics, raised []site
	for i, fn := range m.Funcs {
		id := m.first + format.FuncID(i)
		for _, r := range fn.Raised {
			raised = append(raised, site{fileOff: r.FileOff, cookie: bpf.QuietCookie, fn: i, semaphoreOff: r.SemaphoreOff})
		}
		if len(fn.Statics) > 0 {
			more, err := staticSites(objs, fn.Statics, id, i)
			if err != nil {
				return links{}, nil, err
			}
			statics = append(statics, more...)
			continue
		}
		kind := format.Entry
		if fn.Hit {
			kind = format.Hit
		}
		entry, err := newSite(objs, fn.entry, id, kind, m.Goid)
		if err != nil {
			return links{}, nil, err
		}
		exit, err := newSite(objs, fn.exit, id, format.Return, m.Goid)
		if err != nil {
			return links{}, nil, err
		}
		jump, err := newSite(objs, resultless(fn.exit), id, format.Return, m.Goid)
		if err != nil {
			return links{}, nil, err
		}
		entry.fn, exit.fn, jump.fn = i, i, i
		entry.fileOff, exit.fileOff = fn.FileOff, fn.FileOff
		entries = append(entries, entry)
		switch fn.ReturnBy {
		case ByTrampoline:
			trampolines = append(trampolines, exit)
		case ByInstruction:
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
		refused := a.refused
		a.refused = map[int]error{}
		a.attach(without(raised, refused), &a.links.others, onStatic)
		a.refused = map[int]error{}
		a.attach(without(returns, refused), &a.links.others, onInstruction)
		for i := range a.refused {
			m.Funcs[i].ReturnBy, m.Funcs[i].Why = Never, "the kernel refuses a breakpoint on its return instruction"
		}
		a.refused = refused
		if a.err != nil {
			return links{}, nil, errors.Join(a.err, a.links.close())
		}
	}
	return a.links, a.refused, nil
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
func staticSites(objs *bpf.Objects, locations []StaticSite, id format.FuncID, fn int) ([]site, error) {
	var sites []site
	for _, loc := range locations {
		s := loc.site
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

// attacher attaches sites of one file in one process.
type attacher struct {
	pid     int
	batch   int           // sites of a link
	first   format.FuncID // of the file
	share   int           // functions of a link, 0 for all
	links   links
	refused map[int]error
	err     error
}

// attach attaches all sites with as few links as can be. One site that the kernel
// refuses fails the whole link, without a word which; then each half is tried by itself.
func (a *attacher) attach(sites []site, to *[]probeLink, with func([]site) (link.Link, error)) {
	for len(sites) > 0 {
		if a.err != nil {
			return
		}
		n := min(a.batch, len(sites))
		if a.share > 0 {
			if i := slices.IndexFunc(sites[:n], func(s site) bool { return s.fn/a.share != sites[0].fn/a.share }); i > 0 {
				n = i
			}
		}
		if i := slices.IndexFunc(sites[:n], func(s site) bool { return s.data != sites[0].data }); i > 0 {
			n = i
		}
		batch := sites[:n]
		sites = sites[n:]
		l, err := with(batch)
		switch {
		case err == nil:
			*to = append(*to, probeLink{l, a.first + format.FuncID(group(batch[0].fn, a.share))})
		case a.pid != 0 && !alive(a.pid):
			a.err = fmt.Errorf("process %d ended before it could be recorded", a.pid)
		case hopeless(err):
			a.err = err
		case len(batch) == 1:
			a.refused[batch[0].fn] = err
		default:
			half := len(batch) / 2
			a.attach(batch[:half], to, with)
			a.attach(batch[half:], to, with)
		}
	}
}

// hopeless reports whether no other site would fare better.
func hopeless(err error) bool {
	return slices.ContainsFunc([]error{unix.EPERM, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE}, func(e error) bool { return errors.Is(err, e) })
}

func alive(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }
