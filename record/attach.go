//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
)

// site is a place for a breakpoint.
type site struct {
	fileOff uint64
	cookie  uint64
	fn      int // index into the module's Funcs
}

// links are the attached probes of a recording.
type links struct {
	returns []link.Link // return probes of the kernel's kind
	others  []link.Link
}

func (l links) empty() bool { return len(l.returns)+len(l.others) == 0 }

func (l *links) add(more links) {
	l.returns = append(l.returns, more.returns...)
	l.others = append(l.others, more.others...)
}

// close detaches all probes, the return probes first and all at once.
//
// The kernel waits for calls that a return probe is following to return, unless none has been
// started in their thread for 100 ms (ri_timer in kernel/events/uprobes.c, since
// 6.13; each call sets it back). Seen on Linux 6.18: detached one link after the other, a
// program that calls a traced function every 10 ms kept the recorder until its main had returned.
func (l links) close() error {
	return errors.Join(closeAll(l.returns), closeAll(l.others))
}

// maxClosing bounds the threads that wait for the kernel.
const maxClosing = 1000

func closeAll(list []link.Link) error {
	errs := make([]error, len(list))
	free := make(chan struct{}, maxClosing)
	var closed sync.WaitGroup
	for i, l := range list {
		free <- struct{}{}
		closed.Go(func() {
			errs[i] = l.Close()
			<-free
		})
	}
	closed.Wait()
	return errors.Join(errs...)
}

// attach attaches a module's probes. It
// returns the functions whose entry the kernel refused, by their index, with
// its reason. A return instruction that is refused costs the function its return.
//
// Nothing is recorded before all is attached, so the order matters in one case only:
// a function whose first instruction already leaves it (a jump to another function).
// Of several probes on one instruction the kernel runs the latest first
// (consumer_add in kernel/events/uprobes.c), so the entry must come after the return.
func attach(objs *bpf.Objects, m *PlannedModule, pids []int) (attached links, refused map[int]error, err error) {
	ex, err := link.OpenExecutable(m.image.open)
	if err != nil {
		return links{}, nil, err
	}
	var entries, trampolines, returns, early []site
	for i, fn := range m.Funcs {
		id := m.first + format.FuncID(i)
		kind := format.Entry
		if fn.Hit {
			kind = format.Hit
		}
		entries = append(entries, site{fn.FileOff, bpf.Cookie(id, kind), i})
		switch fn.ReturnBy {
		case ByTrampoline:
			trampolines = append(trampolines, site{fn.FileOff, bpf.Cookie(id, format.Return), i})
		case ByInstruction:
			for _, off := range fn.Returns {
				s := site{off, bpf.Cookie(id, format.Return), i}
				if off == fn.FileOff {
					early = append(early, s)
				} else {
					returns = append(returns, s)
				}
			}
		}
	}
	if len(pids) == 0 {
		pids = []int{0} // every process
	}
	a := attacher{objs: objs, ex: ex, refused: map[int]error{}}
	for _, pid := range pids {
		a.pid = uint32(pid)
		a.attach(early, objs.OnInstruction, ex.UprobeMulti)
		a.attach(entries, objs.OnInstruction, ex.UprobeMulti)
		a.attach(without(trampolines, a.refused), objs.OnReturn, ex.UretprobeMulti)
		refused := a.refused
		a.refused = map[int]error{}
		a.attach(without(returns, refused), objs.OnInstruction, ex.UprobeMulti)
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

func without(sites []site, refused map[int]error) []site {
	var list []site
	for _, s := range sites {
		if _, ok := refused[s.fn]; !ok {
			list = append(list, s)
		}
	}
	return list
}

// attacher attaches sites of one file in one process.
type attacher struct {
	objs    *bpf.Objects
	ex      *link.Executable
	pid     uint32
	links   links
	refused map[int]error
	err     error
}

type attachFunc func(symbols []string, prog *ebpf.Program, opts *link.UprobeMultiOptions) (link.Link, error)

// attach attaches all sites with one link. One site that the kernel refuses
// fails the whole link, without a word which; then each half is tried by itself.
func (a *attacher) attach(sites []site, prog *ebpf.Program, multi attachFunc) {
	if len(sites) == 0 || a.err != nil {
		return
	}
	opts := &link.UprobeMultiOptions{PID: a.pid}
	for _, s := range sites {
		opts.Addresses = append(opts.Addresses, s.fileOff)
		opts.Cookies = append(opts.Cookies, s.cookie)
	}
	l, err := multi(nil, prog, opts)
	switch {
	case err == nil:
		if prog == a.objs.OnReturn {
			a.links.returns = append(a.links.returns, l)
		} else {
			a.links.others = append(a.links.others, l)
		}
	case errors.Is(err, os.ErrNotExist) && a.pid != 0:
		a.err = fmt.Errorf("process %d ended before it could be recorded", a.pid)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EMFILE):
		a.err = err
	case len(sites) == 1:
		a.refused[sites[0].fn] = err
	default:
		half := len(sites) / 2
		a.attach(sites[:half], prog, multi)
		a.attach(sites[half:], prog, multi)
	}
}
