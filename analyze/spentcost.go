package analyze

import (
	"time"

	"utrace/format"
)

// spend adds the cost of a hit to the call around it.
func (p *pairer) spend(t *thread, ns int64) {
	if n := len(t.frames); n > 0 {
		t.frames[n-1].costNs += ns
	} else {
		t.hitNs += ns
	}
}

// returning handles a return that a return probe sees. It corrects the cost of the latest return of
// t, if this is another one at the same depth, without an entry in between. After a tail call, one
// instruction returns from all calls of the chain. The kernel handles their return probes in a
// single trap, one after another, so the earlier return has cost no more than the time up to this
// one.
func (p *pairer) returning(t *thread, fn format.FuncID, sp uint64) {
	if last := &t.lastReturn; sp != 0 && last.sp == sp {
		p.spend(t, min(0, t.nowNs-last.atNs-last.costNs))
	}
	t.lastReturn = returned{sp, t.nowNs, int64(p.costs.of(fn).orphan)}
}

// displace adds the cost of a displacement: the recorder had pre-empted the thread for ns up to
// now.
func (p *pairer) displace(t *thread, ns uint64) {
	if p.raw {
		return
	}
	ran := int64(min(ns, maxTimeNs))
	took := max(0, min(ran+p.costs.displacedNs, t.nowNs-t.displacedNs))
	t.displacedNs = t.nowNs
	t.preemptedNs += took
	p.spend(t, took)
	if t.sched != nil {
		t.sched.displace(t.nowNs, ran)
	}
}

// await adds the cost of others' probes to the call around a wait.
func (p *pairer) await(t *thread, probes time.Duration) {
	if probes > 0 {
		t.awaitedNs += int64(probes)
		p.spend(t, int64(probes))
	}
}
