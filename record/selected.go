//go:build linux

package record

import (
	"time"

	"utrace/bpf"
	"utrace/record/internal/clock"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// The look at all processes uses at most a hundredth of a processor: the pause before the next one
// is lookPause times its processor time.
const lookPause = 100

// maxAnnounced limits how many processes that match later are announced.
const maxAnnounced = 20

// newcomers are the processes that match the selection of a recording after it has begun. The
// discoverer's goroutine uses them.
type newcomers struct {
	plan      *plan.Plan
	children  bool                         // children of recorded processes need not match: plan.Config.Follow
	ended     func(pid int, timeNs uint64) // notes that a process is not recorded any more
	announced map[int]string               // by PID: start times of processes that were announced
	nextLook  time.Time                    // at all processes
	count     int                          // that were announced
}

func newNewcomers(p *plan.Plan, children bool) *newcomers {
	n := &newcomers{plan: p, children: children, announced: map[int]string{}}
	for _, pid := range p.PIDs {
		n.announced[pid] = proc.StartTime(pid)
	}
	return n
}

// selects reports whether processes that match a selection are recorded.
func (d *discoverer) selects() bool { return d.newcomers != nil }

// execedOther handles that a process which is not recorded has executed a program.
func (d *discoverer) execedOther(pid, tid int, timeNs uint64) {
	if d.newcomers.plan.Selector.Matches(pid) && d.join(pid) {
		d.announce(pid)
		d.execed(pid, tid, timeNs)
	}
}

// stays reports whether a recorded process that was forked or has executed a program is recorded
// further. Otherwise its probes are removed. Most forked processes execute a program at once: one
// that does not is announced later.
func (d *discoverer) stays(task *bpf.Task) bool {
	pid := int(task.PID)
	switch {
	case !d.selects() || d.newcomers.children:
		return true
	case d.newcomers.plan.Selector.Matches(pid):
		if task.Kind == bpf.TaskExec {
			d.announce(pid)
		}
		return true
	}
	if err := d.objs.RemoveProcess(pid); err != nil {
		d.fail(err)
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes.left(pid)
	now := clock.MonotonicNs()
	d.definitions.add(func(*catalog) { d.newcomers.ended(pid, now) })
	return false
}

// join has a process recorded from now on. It reports false if the process has ended.
func (d *discoverer) join(pid int) bool {
	if err := d.objs.AddProcess(pid); err != nil {
		d.fail(err)
		return false
	}
	if !proc.HasEnded(pid) { // from now on the kernel side removes it when it ends
		return true
	}
	d.fail(d.objs.RemoveProcess(pid))
	return false
}

// fail notes an error about a process.
func (d *discoverer) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes.fail(err)
}

// joinMatching has the processes recorded that have come to match without a fork or exec, and those
// that were forked or executed before the kernel reported it. It announces all that were not.
func (d *discoverer) joinMatching() {
	n := d.newcomers
	if time.Now().Before(n.nextLook) {
		return
	}
	used := proc.ThreadCPUTime() // the discoverer stays on its thread, see changePriority
	defer func() { n.nextLook = time.Now().Add(lookPause * (proc.ThreadCPUTime() - used)) }()
	for pid, started := range n.announced {
		if proc.StartTime(pid) != started {
			delete(n.announced, pid)
		}
	}
	for _, pid := range n.plan.Selector.All() {
		if d.isClosed() {
			return
		}
		if d.objs.HasProcess(pid) || d.join(pid) {
			d.announce(pid)
		}
	}
	d.removeEnded()
}

// removeEnded removes from the set of recorded processes those that ended while they were added.
func (d *discoverer) removeEnded() {
	pids, err := d.objs.Processes()
	d.fail(err)
	for _, pid := range pids {
		if proc.HasEnded(pid) {
			d.fail(d.objs.RemoveProcess(pid))
		}
	}
}

// announce says that a process is recorded that was not when the recording began.
func (d *discoverer) announce(pid int) {
	n := d.newcomers
	started := proc.StartTime(pid)
	if started == "" || n.announced[pid] == started {
		return
	}
	n.announced[pid] = started
	switch n.count++; {
	case n.count <= maxAnnounced:
		d.notice("%s matches, %s", describeProcess(pid), d.afterStart())
	case n.count == maxAnnounced+1:
		d.notice("further processes that match are recorded without a notice")
	}
}

// endRecorded has a process end in the trace that is not recorded any more.
func (d *drainer) endRecorded(pid int, timeNs uint64) {
	d.addTask(bpf.Task{Kind: bpf.TaskProcessExit, PID: uint32(pid), TID: uint32(pid), TimeNs: timeNs})
}

// left detaches from a process that is not recorded any more.
func (ps *processes) left(pid int) {
	delete(ps.processes, pid)
	ps.probes.removeNow(ps.probes.takeIn(pid))
}
