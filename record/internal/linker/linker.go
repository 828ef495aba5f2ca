//go:build linux

// Package linker attaches BPF programs to sites with links of the kernel.
//
// A Local linker makes them in this process. A Holder makes them in a process of its own, and holds
// them there. That process outlives a recorder that is killed, and removes the probes in order.
//
// A killed recorder cannot do that. While a SIGKILL is pending, the kernel does not write into the
// memory of other processes (fatal_signal_pending in mm/gup.c). If it comes while a link is made or
// closed, the rest of its breakpoints stay ("uprobe: failed to unregister, leaking uprobe"). Each
// costs a trap until somebody probes the same instruction again. Without a Holder, 9 of 100
// recorders of a Go server that were killed at a random moment left 1 to 10,756 breakpoints.
//
//  1. The recorder starts the process, which runs Serve, with its programs as open files.
//  2. Each request makes a link or closes one. Links are made in order, and closed concurrently,
//     because closing can take long.
//  3. At the end of the requests, Serve closes what is left.
//
// If the process is killed as well, breakpoints can stay as described.
package linker

import (
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"utrace/bpf"
)

// Site is an instruction that gets a breakpoint. Offsets are those of the file.
type Site struct {
	Off          uint64
	Cookie       uint64
	SemaphoreOff uint64 // of the semaphore, which counts users; 0: none
}

// Probes are sites of one file that get the same program.
type Probes struct {
	Program *ebpf.Program
	Path    string
	When    When
	Sites   []Site
	PID     int // the only process; 0: all
}

// When says when the program runs.
type When uint8

const (
	AtSites   When = iota // at the instructions
	AtReturns             // when the functions that begin there return
	AtBoth                // a session: at both, see bpf.Sessions; only with bpf.Multi
)

// Linker attaches probes with a single link. Closing the link removes them.
type Linker interface {
	// Attach returns a function that waits for the link. It must be called. Links are made in the
	// order of the calls of Attach.
	Attach(p Probes) (wait func() (io.Closer, error))
}

// Batch returns how many sites a link of a method can have.
func Batch(method bpf.Method) int {
	if method == bpf.Perf {
		return 1
	}
	return math.MaxInt
}

// Local makes links in this process, by this method. They have a consumer for each site, so the
// order of attaching is preserved.
type Local bpf.Method

// Attach makes a link.
func (l Local) Attach(p Probes) (wait func() (io.Closer, error)) {
	made, err := l.attach(p)
	return func() (io.Closer, error) { return made, err }
}

func (l Local) attach(p Probes) (io.Closer, error) {
	if p.When == AtBoth {
		var offsets, cookies []uint64
		for _, s := range p.Sites {
			offsets, cookies = append(offsets, s.Off), append(cookies, s.Cookie)
		}
		return bpf.AttachSessions(p.Path, p.Program, offsets, cookies, p.PID)
	}
	ex, err := link.OpenExecutable(p.Path)
	if err != nil {
		return nil, err
	}
	switch {
	case bpf.Method(l) == bpf.Perf && p.When == AtReturns:
		return ex.Uretprobe("", p.Program, perfOptions(p.Sites[0], p.PID))
	case bpf.Method(l) == bpf.Perf:
		return ex.Uprobe("", p.Program, perfOptions(p.Sites[0], p.PID))
	case p.When == AtReturns:
		return ex.UretprobeMulti(nil, p.Program, multiOptions(p.Sites, p.PID))
	}
	return ex.UprobeMulti(nil, p.Program, multiOptions(p.Sites, p.PID))
}

func multiOptions(sites []Site, pid int) *link.UprobeMultiOptions {
	opts := &link.UprobeMultiOptions{PID: uint32(pid)}
	for _, s := range sites {
		opts.Addresses = append(opts.Addresses, s.Off)
		opts.Cookies = append(opts.Cookies, s.Cookie)
		opts.RefCtrOffsets = append(opts.RefCtrOffsets, s.SemaphoreOff)
	}
	if !slices.ContainsFunc(sites, func(s Site) bool { return s.SemaphoreOff != 0 }) {
		opts.RefCtrOffsets = nil
	}
	return opts
}

func perfOptions(s Site, pid int) *link.UprobeOptions {
	return &link.UprobeOptions{Address: s.Off, Cookie: s.Cookie, PID: pid, RefCtrOffset: s.SemaphoreOff}
}

// maxClosers is how many links are closed at the same time, each by a thread that waits for the
// kernel.
const maxClosers = 1000

// CloseAll closes links concurrently. It returns one of the errors: most have the same cause.
func CloseAll[L io.Closer](list []L) error {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	var next atomic.Int64
	for range min(maxClosers, len(list)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				if err := list[i].Close(); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
