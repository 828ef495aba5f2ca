//go:build linux

package record

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

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
		clear(l.before)
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
			t.Errorf("taken off: %q, want %q", got, want)
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
	l.before[10], l.before[11] = time.Hour, time.Hour
	cpu[10], cpu[11] = time.Hour+20*time.Millisecond, 30*time.Millisecond // 11 is now the ID of another process
	off, _ = judge(l, counts{{TGID: 10, Func: 1}: {Entries: 2000}, {TGID: 11, Func: 2}: {Entries: 3000}})
	want(off, "1 by 10: 2ms of 20ms", "2 by 11: 3ms of 30ms")
}

func TestHitCosts(t *testing.T) {
	c := Costs{NopCall: 1, Emulated: 10, Stepped: 100, Trampoline: 1000, Args: 10000}
	static := func(class insn.Class, kind format.Kind, args uint8) plan.USDTSite {
		return plan.USDTSite{Class: class, Site: bpf.Site{Kind: kind, NumArgs: args}}
	}
	for _, test := range []struct {
		fn         plan.Func
		entry, ret time.Duration
	}{
		{plan.Func{Class: insn.NopCall, ReturnBy: plan.ByTrampoline}, 1, 1000},
		{plan.Func{Class: insn.Emulated, ReturnBy: plan.ByInstruction}, 10, 100},
		{plan.Func{Class: insn.Stepped, ReturnBy: plan.Never}, 100, 0},
		{plan.Func{Class: insn.NopCall, ReturnBy: plan.ByTrampoline, Entry: &bpf.Site{NumArgs: 1}, Exit: &bpf.Site{}}, 10001, 1000},
		{plan.Func{Class: insn.Emulated, ReturnBy: plan.ByInstruction, Exit: &bpf.Site{NumArgs: 2}}, 10, 10100},
		{plan.Func{USDTSites: []plan.USDTSite{static(insn.Emulated, format.Hit, 0)}}, 10, 0},
		{plan.Func{USDTSites: []plan.USDTSite{static(insn.NopCall, format.Entry, 2), static(insn.Stepped, format.Return, 0)}}, 10001, 100},
	} {
		if entry, ret := c.Hits(&test.fn); entry != test.entry || ret != test.ret {
			t.Errorf("%+v: %d and %d, want %d and %d", test.fn, entry, ret, test.entry, test.ret)
		}
	}
}

// TestShare: attach, countLinks and the catalog agree on the functions that share links.
func TestShare(t *testing.T) {
	m := &module{Module: &plan.Module{Funcs: []plan.Func{
		{FileOff: 10, ReturnBy: plan.ByTrampoline}, {FileOff: 20, ReturnBy: plan.ByInstruction, Returns: []uint64{25, 26}}, {FileOff: 30, ReturnBy: plan.Never}, {FileOff: 40, ReturnBy: plan.ByTrampoline}, {FileOff: 50, ReturnBy: plan.Never},
	}}}
	for share, want := range map[int]struct {
		links  int      // at most 5 for entries, and those for returns
		groups []string // of entries
	}{
		1: {8, []string{"0: 0", "1: 1", "2: 2", "3: 3", "4: 4"}},
		2: {6, []string{"0: 0 1", "2: 2 3", "4: 4"}},
		4: {4, []string{"0: 0 1 2 3", "4: 4"}},
		8: {3, []string{"0: 0 1 2 3 4"}},
	} {
		if n := m.countLinks(share); n != want.links {
			t.Errorf("shared by %d: %d links, want %d", share, n, want.links)
		}
		var sites []site
		for i := range m.Funcs {
			sites = append(sites, site{fn: i})
		}
		var attached []probeLink
		var groups []string
		a := attacher{batch: 100, share: share, refused: map[int]error{}}
		a.attach(sites, &attached, func(batch []site) (link.Link, error) {
			text := fmt.Sprintf("%d:", group(batch[0].fn, a.share))
			for _, s := range batch {
				text += fmt.Sprintf(" %d", s.fn)
			}
			groups = append(groups, text)
			return nil, nil
		})
		if !slices.Equal(groups, want.groups) {
			t.Errorf("shared by %d: %q, want %q", share, groups, want.groups)
		}
		l := links{others: attached}
		if taken := l.take(func(p probeLink) bool { return p.fn == 0 }); len(taken.others) != 1 || len(l.others) != len(groups)-1 {
			t.Errorf("shared by %d: %d links taken, %d left", share, len(taken.others), len(l.others))
		}
	}
}
