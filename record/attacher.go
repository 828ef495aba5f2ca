//go:build linux

package record

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/proc"
)

// attacher attaches sites of a module in one process.
type attacher struct {
	pid     int // 0: all processes
	batch   int // maximum number of sites of a link
	module  *module
	links   links
	refused map[int]error
	err     error
}

// attach attaches all sites with as few links as possible. One site that the kernel refuses fails
// the whole link, and the kernel does not say which it was. Then attach tries each half separately.
func (a *attacher) attach(sites []site, to *[]probeLink, with func([]site) (link.Link, error)) {
	for len(sites) > 0 {
		if a.err != nil {
			return
		}
		n := min(a.batch, len(sites))
		if i := slices.IndexFunc(sites[:n], func(s site) bool { return group(s.fn, a.module.share) != group(sites[0].fn, a.module.share) }); i > 0 {
			n = i
		}
		if i := slices.IndexFunc(sites[:n], func(s site) bool { return s.inTable != sites[0].inTable }); i > 0 {
			n = i
		}
		batch := sites[:n]
		sites = sites[n:]
		l, err := with(batch)
		switch {
		case err == nil:
			*to = append(*to, probeLink{l, a.module, a.module.first + format.FuncID(group(batch[0].fn, a.module.share))})
		case a.pid != 0 && !proc.Exists(a.pid):
			a.err = fmt.Errorf("process %d ended before it could be recorded", a.pid)
		case failsEverywhere(err):
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

// failsEverywhere reports whether any other site would fail as well.
func failsEverywhere(err error) bool {
	return slices.ContainsFunc([]error{unix.EPERM, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE}, func(e error) bool { return errors.Is(err, e) })
}
