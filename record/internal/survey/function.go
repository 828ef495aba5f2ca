//go:build linux

package survey

import "time"

// surveyedFunc is what a survey knows of a function.
type surveyedFunc struct {
	state     funcState
	cost      time.Duration // of a call
	entry     time.Duration // of its entry
	raises    bool
	ofRuntime bool
	failures  int       // how often it was steady and became too expensive
	until     time.Time // until then it gets windows
	ofMain    bool
	certain   bool    // the rate comes from a window that has cost little
	rate      float64 // calls per ns of useful processor time, as last seen
	calls     uint64  // seen in windows
	entries   uint64  // hits when last looked at, as is returns
	returns   uint64
	looks     int // scans without a result
	rates     callRates
	seen      Sampled
}

// funcState says when a function is probed.
type funcState uint8

const (
	unknownFunc funcState = iota // not yet
	steadyFunc                   // always
	hotFunc                      // in windows
	doneFunc                     // not any more
)

// share is what a function costs per ns of useful processor time.
func (f *surveyedFunc) share() float64 {
	if f.raises {
		return raisedShare + f.rate*float64(f.cost)
	}
	return f.rate * float64(f.cost)
}

// mostImportant is the importance of functions that are in all samples.
const mostImportant = 40

// importance is how much more a function matters than others: functions in which a program spends
// its time, those that they call included, are what it is about. Functions of the runtime get what
// is left.
func (sm *surveyedModule) importance(fn int) float64 {
	f := &sm.funcs[fn]
	switch {
	case f.ofRuntime:
		return 0.1
	case f.ofMain:
		return mostImportant
	}
	return 1 + mostImportant*float64(f.seen.Any)/float64(max(1, sm.samples))
}

// indirect is what a hit costs a program in addition to what it costs the calibrator: the kernel's
// code displaces a program's own from caches and predictors.
//
// Note: this is the least. Measured by CPU time per request, with and without probes, a call of one
// function of redis-server every 7.7 us costs 1.0 to 2.4 times what was calibrated, depending on what
// else runs, and a handler of net/http every 24 us 1.7 to 2.2 times. Four calls within 8 us cost what
// was calibrated. See slowdown.
const indirect = 150 * time.Nanosecond

// see updates the rate by a new figure, which has a weight from 0 to 1. The first certain one
// replaces all before.
func (f *surveyedFunc) see(rate, weight float64, certain bool) {
	switch {
	case !certain && f.certain:
		return
	case f.rate == 0 || certain && !f.certain:
		weight = 1
	}
	f.rate += weight * (rate - f.rate)
	f.certain = certain
}
