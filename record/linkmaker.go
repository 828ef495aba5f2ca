//go:build linux

package record

import (
	"io"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/record/internal/linker"
	"utrace/record/internal/openfiles"
)

// linkMaker attaches one program to sites of a file with one link, in one process, or (PID 0) in
// all.
type linkMaker struct {
	linker linker.Linker
	batch  int // maximum number of sites of a link
}

func newLinkMaker(l linker.Linker, method bpf.Method) linkMaker {
	return linkMaker{l, linker.Batch(method)}
}

func (m linkMaker) uprobe(path string, prog *ebpf.Program, sites []site, pid int) (wait func() (io.Closer, error)) {
	return m.linker.Attach(linker.Probes{Program: prog, Path: path, Sites: linkerSites(sites), PID: pid})
}

// uretprobe does the same for the return of functions.
func (m linkMaker) uretprobe(path string, prog *ebpf.Program, sites []site, pid int) (wait func() (io.Closer, error)) {
	return m.linker.Attach(linker.Probes{Program: prog, Path: path, When: linker.AtReturns, Sites: linkerSites(sites), PID: pid})
}

// session does the same for the entry and the return of functions.
func (m linkMaker) session(path string, prog *ebpf.Program, sites []site, pid int) (wait func() (io.Closer, error)) {
	return m.linker.Attach(linker.Probes{Program: prog, Path: path, When: linker.AtBoth, Sites: linkerSites(sites), PID: pid})
}

func linkerSites(sites []site) []linker.Site {
	list := make([]linker.Site, len(sites))
	for i, s := range sites {
		list[i] = linker.Site{Off: s.fileOff, Cookie: s.cookie, SemaphoreOff: s.semaphoreOff}
	}
	return list
}

// PerfRoom returns how many probes bpf.Perf can attach: each takes two open files.
func PerfRoom() (int, error) { return openfiles.PerfRoom() }

// ServeLinks runs the process that Config.LinkHolder starts, which has a process group of its own:
// it reads requests from r and writes replies to w. When r ends, it removes all probes.
func ServeLinks(r io.Reader, w io.Writer) error {
	if _, err := openfiles.PerfRoom(); err != nil { // raises the limit of open files
		return err
	}
	// All its threads: a new process runs without probes until they are attached.
	unix.Setpriority(unix.PRIO_PGRP, 0, drainNice)
	return linker.Serve(r, w)
}
