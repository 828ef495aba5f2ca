//go:build linux

package record

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// TestJudge compares hits with a limit of 5%, at 1 us for an entry and 1 us for a return.
func TestJudge(t *testing.T) {
	type counts = map[bpf.HitsKey]bpf.Hits
	fn := &plan.Func{Class: insn.Emulated, ReturnBy: plan.ByTrampoline}
	cpu := map[uint32]time.Duration{}
	newTest := func() *limiter {
		clear(cpu)
		l := newLimiter(0.05, Costs{Emulated: time.Microsecond, Trampoline: time.Microsecond})
		clear(l.initialCPU)
		l.cpu = func(pid uint32) (time.Duration, bool) {
			used, ok := cpu[pid]
			return used, ok
		}
		return l
	}
	judge := func(l *limiter, c counts) (off []string, gone []uint32) {
		verdicts, gone := l.judge(c, func(id format.FuncID) *plan.Func {
			if id > 90 {
				return nil
			}
			return fn
		})
		for _, v := range verdicts {
			off = append(off, fmt.Sprintf("%d by %d: %v of %v", v.fn, v.pid, v.spent, v.used))
			l.removed[v.fn] = &removedFunc{}
		}
		return off, gone
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("removed: %q, want %q", got, want)
		}
	}

	l := newTest()
	cpu[10] = 9 * time.Millisecond
	off, _ := judge(l, counts{{TGID: 10, Func: 1}: {Entries: 9000}})
	want(off) // too little CPU time to judge
	cpu[10] = 100 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 5000}})
	want(off) // exactly the limit
	cpu[10] = 200 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 10001}})
	want(off, "1 by 10: 5.001ms of 100ms")
	cpu[10] = 300 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 99999}})
	want(off) // already removed

	l = newTest()
	cpu[10] = 900 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 5000}})
	want(off)
	cpu[10] = 100 * time.Millisecond // of another process
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 15001}})
	want(off, "1 by 10: 10.001ms of 100ms")

	l = newTest()
	cpu[10] = 100 * time.Millisecond
	off, _ = judge(l, counts{ // most expensive first, lowest number of equals first, until the rest fits; returns count
		{TGID: 10, Func: 1}: {Entries: 2000, Returns: 1000}, {TGID: 10, Func: 2}: {Entries: 3000}, {TGID: 10, Func: 3}: {Entries: 3000, Returns: 3000},
		{TGID: 10, Func: 4}: {Entries: 1000}, {TGID: 10, Func: 99}: {Entries: 1 << 30},
	})
	want(off, "3 by 10: 6ms of 100ms", "1 by 10: 3ms of 100ms")

	l = newTest()
	cpu[10], cpu[11] = 100*time.Millisecond, 100*time.Millisecond
	off, gone := judge(l, counts{ // a function removed for one process costs the other nothing
		{TGID: 10, Func: 1}: {Entries: 6000}, {TGID: 11, Func: 1}: {Entries: 9000}, {TGID: 11, Func: 2}: {Entries: 4000}, {TGID: 12, Func: 3}: {Entries: 9000},
	})
	want(off, "1 by 10: 6ms of 100ms")
	if !slices.Equal(gone, []uint32{12}) {
		t.Errorf("processes that have ended: %v", gone)
	}

	l = newTest()
	l.initialCPU[10], l.initialCPU[11] = time.Hour, time.Hour
	cpu[10], cpu[11] = time.Hour+20*time.Millisecond, 30*time.Millisecond // 11 is now the ID of another process
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 2000}, {TGID: 11, Func: 2}: {Entries: 3000}})
	want(off, "1 by 10: 2ms of 20ms", "2 by 11: 3ms of 30ms")
}
