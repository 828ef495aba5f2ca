//go:build linux

package survey

import "time"

// Windows are at most this long.
const (
	scanLasts = 30 * time.Millisecond // and windows with all functions
	fewLasts  = 200 * time.Millisecond
	// leastLasts is how long windows with few functions last at least.
	leastLasts = 2 * time.Millisecond
	// waitLasts is how long a window waits for its open calls.
	waitLasts = 500 * time.Millisecond
)

// closeEnough is how far from its planned end a window may end.
const closeEnough = 100 * time.Microsecond

// windowKind says what a window is for.
type windowKind uint8

const (
	scanWindow windowKind = iota // functions that are not known
	fewWindow                    // some hot functions, so that they disturb each other little
	allWindow                    // all hot functions, so that callers are known
	windowKinds
	steadyWindow
)

// lasts is how long a window of the kind lasts at most.
func (k windowKind) lasts() time.Duration {
	if k == fewWindow {
		return fewLasts
	}
	return scanLasts
}

// windowState is the state of a window.
type windowState uint8

const (
	opening  windowState = iota // breakpoints are being placed
	counting                    // calls that begin count
	waiting                     // for calls that are open
)

// window is an interval in which a set of functions is probed.
type window struct {
	set     *Set
	kind    windowKind
	state   windowState
	all     bool
	on      time.Duration // useful processor time of the module then
	sinceNs uint64        // when it was turned on, CLOCK_MONOTONIC; a steady set has several intervals
	fromNs  uint64        // CLOCK_MONOTONIC
	toNs    uint64        // when counting ended
	opening time.Duration // what its breakpoints have cost before it was turned on
	from    work          // of the module at fromNs
	used    work          // the same between fromNs and toNs
	told    time.Duration // useful processor time in used, for the trace: see format.Window
	rough   bool
	err     error         // of attaching, once opened is closed
	opened  chan struct{} // closed once the breakpoints are there
	allot   time.Duration // what it is to cost
	most    time.Duration // what it may cost
	lasts   time.Duration // how long it counts calls at most
	begun   time.Time     // when counting began, then when waiting did
	until   time.Time     // when counting ends, then when waiting does
	hits    []hits        // of its functions when it began
}

// endsWithin reports whether a window that counts or waits may end within a time. Only those with
// few functions last as long as planned.
func (w *window) endsWithin(d time.Duration, now time.Time) bool {
	return w.state == waiting || w.kind != fewWindow || w.until.Sub(now) < d
}

// tick returns when to look again at a window that counts or waits. How dear one is shows in its
// first milliseconds. What one with few functions costs is known before.
func (w *window) tick(now time.Time) time.Duration {
	lasted, left := now.Sub(w.begun), max(w.until.Sub(now), closeEnough)
	switch {
	case w.kind != fewWindow || w.state == waiting:
		return min(max(lasted/2, leastTick), max(left, leastTick), openTick)
	case left > warmAhead:
		return min(max(lasted, openTick), left-warmAhead+closeEnough)
	}
	return min(left, warmEvery)
}

type hits struct{ entries, returns uint64 }

// work is what the processes of a module have done.
type work struct {
	useful  time.Duration // processor time, less the cost of their probes
	spent   time.Duration // the cost of their probes
	ioCalls uint64
}

func (w work) since(earlier work) work {
	return work{w.useful - earlier.useful, w.spent - earlier.spent, w.ioCalls - earlier.ioCalls}
}

func (w work) plus(o work) work {
	return work{w.useful + o.useful, w.spent + o.spent, w.ioCalls + o.ioCalls}
}

// weight is the part of a kind of windows in what is spent on windows.
func (k windowKind) weight() time.Duration {
	switch k {
	case scanWindow, fewWindow:
		return 2
	}
	return 1
}
