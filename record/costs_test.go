//go:build linux

package record

import (
	"testing"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

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

// Two calls of a chain of tail calls return in one trap.
func TestSpent(t *testing.T) {
	cal := format.Calibration{Sites: []format.SiteCost{{Entry: "emulated", Return: "trampoline", EntryNs: 10, CallNs: 17}}}
	fn := probedFunc{entryKind: "emulated", returnKind: kindTrampoline}
	for range 5 {
		for _, kind := range []format.Kind{format.Entry, format.TailEntry, format.Return, format.Return} {
			fn.hit(kind)
		}
	}
	if got := spent(&catalog{funcs: []probedFunc{fn}}, []format.Calibration{cal}); got != 10*10+5*7 {
		t.Errorf("%d ns for 10 entries and 5 traps of returns, want 135", got)
	}
}
