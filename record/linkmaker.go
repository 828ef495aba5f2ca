//go:build linux

package record

import (
	"math"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"utrace/bpf"
)

// linkMaker attaches one program to sites of a file with one link, in one process, or (PID 0) in
// all.
type linkMaker struct {
	batch  int // maximum number of sites of a link
	uprobe func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error)
	// uretprobe does the same for the return of functions.
	uretprobe func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error)
}

// newLinkMaker returns the linkMaker of a method. Both kinds preserve the order of attaching: they
// create a consumer for each site.
func newLinkMaker(method bpf.Method) linkMaker {
	if method == bpf.Perf {
		return linkMaker{
			batch: 1,
			uprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
				return ex.Uprobe("", prog, perfOptions(sites[0], pid))
			},
			uretprobe: func(ex *link.Executable, prog *ebpf.Program, sites []site, pid int) (link.Link, error) {
				return ex.Uretprobe("", prog, perfOptions(sites[0], pid))
			},
		}
	}
	return linkMaker{
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
