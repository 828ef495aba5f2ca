//go:build linux

package survey

import (
	"testing"
	"time"

	"utrace/bpf"
)

// TestAccount: the limit's share of the CPU time is credited, hits and other costs are charged.
func TestAccount(t *testing.T) {
	const ms = time.Millisecond
	var used, cost, grace time.Duration
	running := true
	a := &account{
		pid: 1, limit: 0.05, grace: &grace, at: time.Unix(0, 0),
		cpu: func(uint32) (time.Duration, bool) { return used, running },
		use: func(int) (bpf.ProcessUse, error) { return bpf.ProcessUse{CostNs: uint64(cost)}, nil },
	}
	at := func(second float64) time.Time { return time.Unix(0, int64(second*1e9)) }
	check := func(what string, now time.Time, credit, useful, spent time.Duration) {
		t.Helper()
		if err := a.update(now); err != nil {
			t.Fatal(err)
		}
		if a.credit != credit || a.useful != useful || a.spent != spent {
			t.Errorf("%s: credit %v, useful %v, spent %v; want %v, %v, %v", what, a.credit, a.useful, a.spent, credit, useful, spent)
		}
	}
	used = 200 * ms
	check("a busy process gets 5%", at(0.2), 10*ms, 200*ms, 0)
	used, cost = 400*ms, 15*ms
	check("its hits are charged", at(0.4), 5*ms, 385*ms, 15*ms)
	a.extra = 20 * ms
	check("so are other costs, and an idle process gets 0.5% of the time", at(0.5), 5*ms+ms/2-20*ms, 365*ms, 35*ms)
	grace = 30 * ms
	check("grace covers what is overdrawn", at(0.5), 0, 365*ms, 35*ms)
	if grace != 30*ms-14500*time.Microsecond {
		t.Errorf("%v of the grace are left", grace)
	}
	used, a.raised = 500*ms, true
	check("a raised semaphore costs a part of the CPU time", at(0.6), -9500*time.Microsecond, 365*ms+70*ms, 35*ms+30*ms)
	if grace != 0 {
		t.Errorf("%v of the grace are left", grace)
	}
	a.raised = false
	used = 10_500 * ms
	if check("credit is limited to that of half a second", at(10.6), 25*ms, 435*ms+10_000*ms, 65*ms); a.perSec < 0.99 || a.perSec > 1.01 {
		t.Errorf("%v s of CPU time a second", a.perSec)
	}
	running = false
	if a.update(at(11)); !a.hasEnded {
		t.Error("its end was not noticed")
	}
}
