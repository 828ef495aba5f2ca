//go:build linux

package survey

import (
	"time"

	"utrace/bpf"
	"utrace/record/internal/proc"
)

// minShare is the share of a processor that probes may use in a process that hardly uses any: a
// percentage of next to nothing would record next to nothing.
const minShare = 0.005

// creditTime is how much of the limit can be saved up, as time at full use of the process.
const creditTime = 500 * time.Millisecond

// account is what the probes may cost a process, and what they have cost it.
type account struct {
	pid    int
	limit  float64                                // share of the CPU time
	cpu    func(pid uint32) (time.Duration, bool) // CPU time that a process has used; false: it has ended
	use    func(pid int) (bpf.ProcessUse, error)  // what its hits have cost, and what it has done
	credit time.Duration                          // what may be spent now; negative: overdrawn
	grace  *time.Duration                         // shared: may be spent in addition, once

	at        time.Time     // of the last update
	used      time.Duration // CPU time by then
	charged   time.Duration // cost of hits by then
	useful    time.Duration // CPU time since the start without what the probes have cost
	spent     time.Duration // what the probes have cost since the start
	perSec    float64       // CPU time per second, of late
	extra     time.Duration // costs other than hits since the last update
	factor    float64       // how many times their estimate the costs are, 0 is 1
	estimated time.Duration // costs since the start, as estimated
	fileCalls ioCounter     // reads and writes, by /proc/PID/io
	sockCalls ioCounter     // calls on sockets
	raised    bool          // a semaphore is raised
	hasEnded  bool
}

// used is what a process had used at some time.
type used struct {
	cpu       time.Duration
	fileCalls uint64
}

func newAccount(pid int, limit float64, objs *bpf.Objects, usedBefore used, grace *time.Duration, now time.Time) *account {
	return &account{
		pid: pid, limit: limit, cpu: proc.CPUTime, use: objs.ProcessUse, used: usedBefore.cpu,
		fileCalls: ioCounter{seen: usedBefore.fileCalls}, grace: grace, at: now,
	}
}

// raisedShare is the share of its CPU time that a raised semaphore costs CPython 3.11, which then
// takes the slow path of its interpreter, beyond the cost of hits. Measured with http.server; a
// loop without calls loses 0.75.
const raisedShare = 0.3

// update brings the account up to date.
func (a *account) update(now time.Time) error {
	used, running := a.cpu(uint32(a.pid))
	use, err := a.use(a.pid)
	if err != nil {
		return err
	}
	a.sockCalls.read(use.SocketCalls)
	if !running {
		a.hasEnded = true
		return nil
	}
	if used < a.used { // another process has got its ID
		a.used = 0
	}
	charged := time.Duration(use.CostNs)
	delta, elapsed := used-a.used, now.Sub(a.at)
	estimated := charged - a.charged + a.extra
	if a.raised {
		estimated += time.Duration(raisedShare * float64(delta))
	}
	cost := time.Duration(max(1, a.factor) * float64(estimated))
	a.estimated += estimated
	a.at, a.used, a.charged, a.extra = now, used, charged, 0
	a.useful += delta - cost
	a.spent += cost
	if elapsed > 0 {
		weight := min(1, elapsed.Seconds()/0.2)
		a.perSec += weight * (delta.Seconds()/elapsed.Seconds() - a.perSec)
	}
	a.credit += time.Duration(max(a.limit*float64(delta), minShare*float64(elapsed))) - cost
	if a.credit < 0 && *a.grace > 0 {
		taken := min(*a.grace, -a.credit)
		*a.grace -= taken
		a.credit += taken
	}
	a.credit = min(a.credit, a.most())
	return nil
}

// updateFileCalls brings fileCalls up to date. It reports false if these are not known.
func (a *account) updateFileCalls() bool {
	seen, ok := proc.IOCalls(a.pid)
	return ok && a.fileCalls.read(seen)
}

// ioCounter counts IO calls of a process.
type ioCounter struct {
	calls uint64 // since the start, when last read
	seen  uint64 // what was read then
}

// read takes what the counter is now. It reports false if that is less than before.
func (c *ioCounter) read(seen uint64) bool {
	if seen < c.seen {
		return false
	}
	c.calls += seen - c.seen
	c.seen = seen
	return true
}

// most is the largest credit.
func (a *account) most() time.Duration {
	return time.Duration(max(a.limit*a.perSec, minShare) * float64(creditTime))
}
