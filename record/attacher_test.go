//go:build linux

package record

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRefusedSites: for any batch size, the sites that the kernel refuses are found, and all others
// are attached once.
func TestRefusedSites(t *testing.T) {
	for _, batch := range []int{1, 3, 100} {
		for _, bad := range [][]int{nil, {0}, {9}, {2, 3, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
			var sites []site
			for i := range 10 {
				sites = append(sites, site{fn: i})
			}
			var attached []int
			a := attacher{batch: batch, module: &module{}, refused: map[int]error{}}
			a.attach(sites, &a.links.others, func(list []site) pendingLink {
				if len(list) == 0 || len(list) > batch {
					t.Fatalf("a link for %d sites, at most %d fit", len(list), batch)
				}
				for _, s := range list {
					if slices.Contains(bad, s.fn) {
						return pending(unix.ENOTSUP)
					}
				}
				for _, s := range list {
					attached = append(attached, s.fn)
				}
				return pending(nil)
			})
			refused := slices.Sorted(maps.Keys(a.refused))
			if a.err != nil || !slices.Equal(refused, bad) {
				t.Errorf("batch %d: refused %v, want %v; %v", batch, refused, bad, a.err)
			}
			for i := range 10 {
				if want := !slices.Contains(bad, i); slices.Contains(attached, i) != want {
					t.Errorf("batch %d, refused %v: attached %v", batch, bad, attached)
				}
			}
			if len(attached)+len(bad) != 10 || a.links.count() > len(attached) {
				t.Errorf("batch %d: attached %v with %d links", batch, attached, a.links.count())
			}
		}
	}
}

// TestAttachGivesUp: an error that any other site would also get ends the attempt.
func TestAttachGivesUp(t *testing.T) {
	const sites = 5 * maxPending
	for pid, failure := range map[int]error{0: unix.EPERM, os.Getpid(): unix.EMFILE, 1 << 30: unix.ESRCH} {
		tries := 0
		a := attacher{batch: 1, pid: pid, module: &module{}, refused: map[int]error{}}
		a.attach(make([]site, sites), &a.links.others, func([]site) pendingLink { tries++; return pending(failure) })
		if a.err == nil || tries > maxPending || len(a.refused) > 0 {
			t.Errorf("%v: %v after %d tries, refused %v", failure, a.err, tries, a.refused)
		}
		if pid != 1<<30 && !errors.Is(a.err, failure) {
			t.Errorf("%v instead of %v", a.err, failure)
		}
	}
}

// TestAskedLinks: links that were asked for beforehand are used, and closed if nobody wants them.
func TestAskedLinks(t *testing.T) {
	sites := []site{{fn: 0}, {fn: 1}, {fn: 2}}
	asked, closed := 0, 0
	with := func(list []site) pendingLink {
		asked++
		return func() (io.Closer, error) { return closerFunc(func() error { closed++; return nil }), nil }
	}
	a := attacher{batch: 2, module: &module{}, refused: map[int]error{}}
	a.asked.ask(&a, sites, with)
	a.asked.ask(&a, nil, with)
	a.attach(sites, &a.links.others, with)
	if asked != 2 || a.links.count() != 2 || len(a.asked) != 0 {
		t.Errorf("asked %d times for %d links, %d left", asked, a.links.count(), len(a.asked))
	}
	a.asked.ask(&a, sites[1:], with)
	a.asked.drop()
	if closed != 1 || len(a.asked) != 0 {
		t.Errorf("%d links closed", closed)
	}
}

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// pending returns a link that is refused with an error, unless that is nil.
func pending(err error) pendingLink { return func() (io.Closer, error) { return nil, err } }
