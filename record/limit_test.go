//go:build linux

package record

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/format"
)

// TestJudge holds hits against a limit of 5%, at 1 us for an entry and 1 us for a return.
func TestJudge(t *testing.T) {
	type counts = map[bpf.HitsKey]bpf.Hits
	fn := &PlannedFunc{Class: Emulated, ReturnBy: ByTrampoline}
	cpu := map[uint32]time.Duration{}
	newTest := func() *limiter {
		clear(cpu)
		l := newLimiter(0.05, Costs{Emulated: time.Microsecond, Trampoline: time.Microsecond})
		clear(l.before)
		l.cpu = func(pid uint32) (time.Duration, bool) {
			used, ok := cpu[pid]
			return used, ok
		}
		return l
	}
	judge := func(l *limiter, c counts) (off []string, gone []uint32) {
		verdicts, gone := l.judge(c, func(id format.FuncID) *PlannedFunc {
			if id > 90 {
				return nil
			}
			return fn
		})
		for _, v := range verdicts {
			off = append(off, fmt.Sprintf("%d by %d: %v of %v", v.fn, v.pid, v.spent, v.used))
			l.off[v.fn] = format.TakenOff{}
		}
		return off, gone
	}
	want := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("taken off: %q, want %q", got, want)
		}
	}

	l := newTest()
	cpu[10] = 9 * time.Millisecond
	off, _ := judge(l, counts{{TGID: 10, Func: 1}: {Entries: 9000}})
	want(off) // too little CPU time to judge by
	cpu[10] = 100 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 5000}})
	want(off) // exactly the limit
	cpu[10] = 200 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 10001}})
	want(off, "1 by 10: 5.001ms of 100ms")
	cpu[10] = 300 * time.Millisecond
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 99999}})
	want(off) // it is off already

	l = newTest()
	cpu[10] = 100 * time.Millisecond
	off, _ = judge(l, counts{ // the costliest first, the first of equals, until the rest fits; returns count
		{TGID: 10, Func: 1}: {Entries: 2000, Returns: 1000}, {TGID: 10, Func: 2}: {Entries: 3000}, {TGID: 10, Func: 3}: {Entries: 3000, Returns: 3000},
		{TGID: 10, Func: 4}: {Entries: 1000}, {TGID: 10, Func: 99}: {Entries: 1 << 30},
	})
	want(off, "3 by 10: 6ms of 100ms", "1 by 10: 3ms of 100ms")

	l = newTest()
	cpu[10], cpu[11] = 100*time.Millisecond, 100*time.Millisecond
	off, gone := judge(l, counts{ // what one process has taken off costs another one nothing
		{TGID: 10, Func: 1}: {Entries: 6000}, {TGID: 11, Func: 1}: {Entries: 9000}, {TGID: 11, Func: 2}: {Entries: 4000}, {TGID: 12, Func: 3}: {Entries: 9000},
	})
	want(off, "1 by 10: 6ms of 100ms")
	if !slices.Equal(gone, []uint32{12}) {
		t.Errorf("processes that have ended: %v", gone)
	}

	l = newTest()
	l.before[10], l.before[11] = time.Hour, time.Hour
	cpu[10], cpu[11] = time.Hour+20*time.Millisecond, 30*time.Millisecond // 11 has got the number of another one
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 2000}, {TGID: 11, Func: 2}: {Entries: 3000}})
	want(off, "1 by 10: 2ms of 20ms", "2 by 11: 3ms of 30ms")
}

func TestHitCosts(t *testing.T) {
	c := Costs{NopCall: 1, Emulated: 10, Stepped: 100, Trampoline: 1000, Args: 10000}
	static := func(class SiteClass, kind format.Kind, args uint8) StaticSite {
		return StaticSite{Class: class, site: bpf.Site{Kind: kind, NumArgs: args}}
	}
	for _, test := range []struct {
		fn         PlannedFunc
		entry, ret time.Duration
	}{
		{PlannedFunc{Class: NopCall, ReturnBy: ByTrampoline}, 1, 1000},
		{PlannedFunc{Class: Emulated, ReturnBy: ByInstruction}, 10, 100},
		{PlannedFunc{Class: Stepped, ReturnBy: Never}, 100, 0},
		{PlannedFunc{Statics: []StaticSite{static(Emulated, format.Hit, 0)}}, 10, 0},
		{PlannedFunc{Statics: []StaticSite{static(NopCall, format.Entry, 2), static(Stepped, format.Return, 0)}}, 10001, 100},
	} {
		if entry, ret := c.Hits(&test.fn); entry != test.entry || ret != test.ret {
			t.Errorf("%+v: %d and %d, want %d and %d", test.fn, entry, ret, test.entry, test.ret)
		}
	}
}
