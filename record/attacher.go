//go:build linux

package record

import (
	"errors"
	"fmt"
	"io"
	"slices"

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

// pendingLink waits for a link, see linker.Linker.
type pendingLink = func() (io.Closer, error)

// maxPending is how many links are asked for before the first has been made.
const maxPending = 64

// attach attaches all sites with as few links as possible. One site that the kernel refuses fails
// the whole link, and the kernel does not say which it was. Then attach tries each half separately.
func (a *attacher) attach(sites []site, to *[]probeLink, with func([]site) pendingLink) {
	type attempt struct {
		batch []site
		wait  pendingLink
	}
	var attempts []attempt
	for len(sites) > 0 || len(attempts) > 0 {
		for len(sites) > 0 && len(attempts) < maxPending && a.err == nil {
			n := a.nextBatch(sites)
			attempts = append(attempts, attempt{sites[:n], with(sites[:n])})
			sites = sites[n:]
		}
		if len(attempts) == 0 {
			return // after an error
		}
		batch := attempts[0].batch
		l, err := attempts[0].wait()
		attempts = attempts[1:]
		switch {
		case err == nil:
			*to = append(*to, probeLink{l, a.module, a.module.first + format.FuncID(group(batch[0].fn, a.module.share))})
		case a.err != nil:
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

// nextBatch returns how many of the first sites can share a link.
func (a *attacher) nextBatch(sites []site) int {
	n := min(a.batch, len(sites))
	if i := slices.IndexFunc(sites[:n], func(s site) bool {
		return group(s.fn, a.module.share) != group(sites[0].fn, a.module.share) || s.inTable != sites[0].inTable
	}); i > 0 {
		n = i
	}
	return n
}

// failsEverywhere reports whether any other site would fail as well.
func failsEverywhere(err error) bool {
	return slices.ContainsFunc([]error{unix.EPERM, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE}, func(e error) bool { return errors.Is(err, e) })
}
