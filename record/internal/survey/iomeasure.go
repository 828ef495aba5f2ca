//go:build linux

package survey

import "math"

// ioMeasure compares two measures of a window: processor time and IO calls. A server makes as many
// IO calls a request however slow it is, while its processor time contains the cost of probes, which
// is an estimate. Other programs do something else in each of their IO calls.
//
// IO calls are reads and writes, by /proc/PID/io, and calls on sockets, by BPF. A read or write of a
// socket counts as both. Of a module that works with sockets, only these count: they cost nothing to
// read, and are known of processes that have ended.
type ioMeasure struct {
	calls   uint64 // of the module's processes since the start
	sockets bool   // those on sockets only
	unknown bool   // of some process
	// preferred is set if IO calls are the measure wherever they are known.
	preferred bool
	// By kind, until sockets is decided.
	fileCalls, sockCalls uint64
	decided              bool
	filesMissed          bool // there were too many processes to read fileCalls

	// The sums of squares show how much functions differ from one window to the next, by each
	// measure.
	pairs       int
	byCPU, byIO float64
	noise       float64 // the part of byIO that counts of so few IO calls have in any case
}

// callRates are how often a function was called, by each measure.
type callRates struct {
	calls uint64 // in the latest windows, until these are enough to be compared
	work  work   // in these

	known       bool
	byCPU, byIO float64 // logarithms, of the windows before
	ioCalls     uint64  // in these
}

// maxFileProcesses is the number of processes from which reading their /proc/PID/io takes too long.
const maxFileProcesses = 8

// slowedDownMost begins the names of the static probes of Java. They take so much of the processor
// time that the rest is wrong in all windows alike: by it, estimates were 0.03 of the truth.
const slowedDownMost = "hotspot:"

// decidingCalls is after how many IO calls it is decided which of them count. These few may count
// in another way.
const decidingCalls = 100

// updateIO adds up the IO calls of the module's processes. Their accounts are up to date.
func (sm *surveyedModule) updateIO() {
	io := &sm.io
	if io.unknown {
		return
	}
	io.filesMissed = io.filesMissed || !io.sockets && len(sm.accounts) > maxFileProcesses
	if io.decided && !io.sockets && io.filesMissed {
		io.unknown = true
		return
	}
	files := !io.sockets && !io.filesMissed
	for a, m := range sm.accounts {
		sm.addSocketCalls(a, m)
		if !files {
			continue
		}
		if !a.updateFileCalls() {
			io.unknown = true
			return
		}
		io.addFileCalls(a.fileCalls.calls - m.fileCalls)
		m.fileCalls = a.fileCalls.calls
	}
	if !io.decided && io.fileCalls+io.sockCalls >= decidingCalls {
		io.decide()
	}
}

// addSocketCalls adds the latest calls of a process on sockets.
func (sm *surveyedModule) addSocketCalls(a *account, m *member) {
	n := a.sockCalls.calls - m.sockCalls
	m.sockCalls = a.sockCalls.calls
	sm.io.sockCalls += n
	sm.io.calls += n
}

func (io *ioMeasure) addFileCalls(n uint64) {
	io.fileCalls += n
	io.calls += n
}

// decide decides whether only calls on sockets count from now on: where other reads and writes are
// fewer.
func (io *ioMeasure) decide() {
	io.decided = true
	io.sockets = 2*io.sockCalls >= io.fileCalls
	io.unknown = !io.sockets && io.filesMissed
}

// leave notes that a process has ended, or has the module no longer.
func (io *ioMeasure) leave() { io.unknown = io.unknown || !io.sockets && io.fileCalls > 0 }

// Comparisons need so many calls and IO calls, in one window or several, and so many pairs of these.
const (
	comparedCalls = 20
	comparedPairs = 3
)

// compare compares the calls of a function in a window with those in the windows before.
func (io *ioMeasure) compare(f *surveyedFunc, calls uint64, w *window) {
	if w.kind == allWindow {
		return
	}
	r := &f.rates
	r.calls += calls
	r.work = r.work.plus(w.used)
	if r.calls < comparedCalls || r.work.ioCalls < comparedCalls || r.work.useful <= 0 {
		return
	}
	byCPU, byIO := math.Log(float64(r.calls)/float64(r.work.useful)), math.Log(float64(r.calls)/float64(r.work.ioCalls))
	if r.known {
		io.pairs++
		io.byCPU += (byCPU - r.byCPU) * (byCPU - r.byCPU)
		io.byIO += (byIO - r.byIO) * (byIO - r.byIO)
		io.noise += 1/float64(r.work.ioCalls) + 1/float64(r.ioCalls)
	}
	*r = callRates{known: true, byCPU: byCPU, byIO: byIO, ioCalls: r.work.ioCalls}
}

// isBetter reports whether functions differ less by IO calls. If both are about the same, IO calls
// are better, since they contain no estimate.
func (io *ioMeasure) isBetter() bool {
	return !io.unknown && io.preferred && io.decided || !io.unknown && io.pairs >= comparedPairs && io.byIO-io.noise < 1.5*io.byCPU
}
