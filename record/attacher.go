//go:build linux

package record

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sys/unix"

	"utrace/record/internal/proc"
	"utrace/record/internal/survey"
)

// attacher attaches sites of a module in one process.
type attacher struct {
	pid     int // 0: all processes
	batch   int // maximum number of sites of a link
	module  *module
	set     *survey.Set // nil: all functions
	links   links
	refused map[int]error
	asked   askedLinks
	err     error
}

// askedLinks are links that were asked for before it was their turn.
type askedLinks []askedLink

type askedLink struct {
	sites []site
	wait  pendingLink
}

// ask asks for a link for the first of some sites.
func (l *askedLinks) ask(a *attacher, sites []site, with func([]site) pendingLink) {
	if n := a.nextBatch(sites); n > 0 {
		*l = append(*l, askedLink{sites[:n], with(sites[:n])})
	}
}

// take returns the link for some sites, nil if it was not asked for.
func (l *askedLinks) take(sites []site) pendingLink {
	i := slices.IndexFunc(*l, func(asked askedLink) bool { return slices.Equal(asked.sites, sites) })
	if i < 0 {
		return nil
	}
	wait := (*l)[i].wait
	*l = slices.Delete(*l, i, i+1)
	return wait
}

// drop closes the links that nobody has taken.
func (l *askedLinks) drop() {
	for _, asked := range *l {
		if made, err := asked.wait(); err == nil {
			made.Close()
		}
	}
	*l = nil
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
			wait := a.asked.take(sites[:n])
			if wait == nil {
				wait = with(sites[:n])
			}
			attempts = append(attempts, attempt{sites[:n], wait})
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
			*to = append(*to, probeLink{l, a.module, a.set})
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
		return s.inTable != sites[0].inTable
	}); i > 0 {
		n = i
	}
	return n
}

// failsEverywhere reports whether any other site would fail as well.
func failsEverywhere(err error) bool {
	return slices.ContainsFunc([]error{unix.EPERM, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE}, func(e error) bool { return errors.Is(err, e) })
}
