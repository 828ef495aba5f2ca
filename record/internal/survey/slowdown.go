//go:build linux

package survey

import (
	"math"
	"time"
)

// slowdown measures what windows really cost a server: how much more CPU time its IO calls take
// while a window is open than before and after. Hits cost a program more than they cost the
// calibrator, since the kernel's code displaces the program's own from caches and predictors. How
// much more depends on the program, see indirect.
type slowdown struct {
	state     slowdownState
	at        totals    // when the state began
	closed    time.Time // when the window's probes were turned off
	before    totals    // between the last window and this one
	during    totals    // while this one was open, with the changes of breakpoints
	cost      float64   // ns of CPU time that recent windows have cost, older ones counting less
	estimated float64   // the same by the costs of hits and of changing breakpoints
}

type slowdownState uint8

const (
	betweenWindows slowdownState = iota
	inWindow
	closingWindow
)

// totals is what a module's processes have done since some time.
type totals struct {
	cpu       time.Duration // that they have used
	estimated time.Duration // the part that probes have cost, as estimated
	ioCalls   uint64
}

func (t totals) since(earlier totals) totals {
	return totals{t.cpu - earlier.cpu, t.estimated - earlier.estimated, t.ioCalls - earlier.ioCalls}
}

func (t totals) plus(o totals) totals {
	return totals{t.cpu + o.cpu, t.estimated + o.estimated, t.ioCalls + o.ioCalls}
}

// What the measurement needs and remembers.
const (
	fewestIO      = 20                     // IO calls in a window, and outside of it
	closingLasts  = 5 * time.Millisecond   // until breakpoints are gone
	rememberCosts = 100 * time.Millisecond // estimated costs after which a window counts 1/e
	believedCosts = 5 * time.Millisecond   // estimated costs that count as if they were right
	mostFactor    = 4
)

// begin notes that a window is opened: then the time since the last one ends.
func (s *slowdown) begin(now totals) {
	switch s.state {
	case closingWindow: // two windows in one: of no use
		s.before = totals{}
	case betweenWindows:
		after := now.since(s.at)
		s.learn(after)
		s.before = after
	}
	s.state, s.at = inWindow, now
}

// close notes that the probes of a window are turned off.
func (s *slowdown) close(at time.Time) {
	if s.state == inWindow {
		s.state, s.closed = closingWindow, at
	}
}

// hasClosed reports whether the breakpoints of the last window have been removed meanwhile.
func (s *slowdown) hasClosed(at time.Time) bool {
	return s.state == closingWindow && at.Sub(s.closed) >= closingLasts
}

// end ends what belongs to the last window.
func (s *slowdown) end(now totals) {
	s.state, s.during, s.at = betweenWindows, now.since(s.at), now
}

// keep notes that the functions of a window stay on.
func (s *slowdown) keep(now totals) {
	s.state, s.during, s.before, s.at = betweenWindows, totals{}, totals{}, now
}

// learn compares the last window with the time around it.
func (s *slowdown) learn(after totals) {
	around := s.before.plus(after)
	if s.during.ioCalls < fewestIO || around.ioCalls < fewestIO {
		return
	}
	part := float64(s.during.ioCalls) / float64(around.ioCalls)
	cost := float64(s.during.cpu) - part*float64(around.cpu)
	estimated := float64(s.during.estimated) - part*float64(around.estimated)
	if estimated > 0 {
		s.learnCost(cost, estimated)
	}
}

// learnCost takes what a window has cost, in ns, and what it has cost by the estimate.
func (s *slowdown) learnCost(cost, estimated float64) {
	keep := math.Exp(-estimated / float64(rememberCosts))
	s.cost = keep*s.cost + cost
	s.estimated = keep*s.estimated + estimated
}

// factor is how many times its estimate a hit has cost of late.
func (s *slowdown) factor() float64 {
	f := (s.cost + float64(believedCosts)) / (s.estimated + float64(believedCosts))
	return min(max(1, f), mostFactor)
}
