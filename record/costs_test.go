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
