package analyze

import (
	"time"

	"utrace/format"
)

// switched handles a row of the scheduler.
func (p *pairer) switched(t *thread, kind format.Kind, value uint64) {
	if t.sched == nil {
		return
	}
	switch kind {
	case format.Wakeup:
		ns := t.nextAwaited()
		if ns == unknownWaker && t.sched.off && t.sched.blocked {
			t.expose(t.nowNs - t.sched.sinceNs)
		}
		t.sched.blockedProbesNs = max(0, ns)
		if t.sched.unknown { // a goroutine, which has no SchedIn
			p.await(t, time.Duration(max(0, ns)))
			p.reach(t)
		}
	case format.SchedOut:
		if t.sched.off {
			p.reach(t)
		}
	case format.SchedIn:
		t.sched.runnableProbesNs = max(0, t.nextAwaited())
	}
	w := t.sched.row(t.nowNs, kind, value)
	if w == nil {
		return
	}
	p.await(t, w.Probes)
	if p.waited != nil {
		p.waited(t, w)
	}
}

// reach notes that a thread is on a processor now. The scheduler must have been recorded.
func (p *pairer) reach(t *thread) { p.await(t, t.sched.reach(t.nowNs)) }
