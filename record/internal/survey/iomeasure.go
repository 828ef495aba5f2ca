//go:build linux

package survey

import "math"

// ioMeasure compares two measures of a window: processor time and IO calls. A server makes as many
// IO calls a request however slow it is, while its processor time contains the cost of probes, which
// is an estimate. Other programs do something else in each of their IO calls.
type ioMeasure struct {
	calls   uint64 // of the module's processes since the start
	unknown bool   // of some process

	// The sums of squares show how much functions differ from one window to the next, by each
	// measure.
	pairs       int
	byCPU, byIO float64
}

// logRates are logarithms of how often a function was called in a window, by each measure.
type logRates struct {
	known       bool
	byCPU, byIO float64
}

// maxIOProcesses is the number of processes from which reading their IO calls takes too long.
const maxIOProcesses = 8

// updateIO adds up the IO calls of the module's processes.
func (sm *surveyedModule) updateIO() {
	if sm.io.unknown = sm.io.unknown || len(sm.accounts) > maxIOProcesses; sm.io.unknown {
		return
	}
	for a, m := range sm.accounts {
		if !a.updateIO() {
			sm.io.unknown = true
			return
		}
		sm.io.calls += a.ioCalls - m.ioCalls
		m.ioCalls = a.ioCalls
	}
}

// Comparisons need so many calls in a window, and so many pairs of windows.
const (
	comparedCalls = 20
	comparedPairs = 3
)

// compare compares the calls of a function in a window with those in its last one.
func (io *ioMeasure) compare(f *surveyedFunc, calls uint64, w *window) {
	if w.kind == allWindow || calls < comparedCalls || w.used.useful <= 0 || w.used.ioCalls == 0 {
		return
	}
	now := logRates{true, math.Log(float64(calls) / float64(w.used.useful)), math.Log(float64(calls) / float64(w.used.ioCalls))}
	if last := f.last; last.known {
		io.pairs++
		io.byCPU += (now.byCPU - last.byCPU) * (now.byCPU - last.byCPU)
		io.byIO += (now.byIO - last.byIO) * (now.byIO - last.byIO)
	}
	f.last = now
}

// isBetter reports whether functions differ less by IO calls. If both are about the same, IO calls
// are better, since they contain no estimate.
func (io *ioMeasure) isBetter() bool {
	return !io.unknown && io.pairs >= comparedPairs && io.byIO < 1.5*io.byCPU
}
