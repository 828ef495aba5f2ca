//go:build linux

package record

import (
	"runtime"
	"slices"

	"utrace/record/internal/calibrate"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// calibrationTest is a function that a calibrator calls, and the kinds of sites that it measures.
type calibrationTest struct {
	function   int
	entry, ret siteKind
}

func calibrationTests() []calibrationTest {
	nop5, emulated, stepped := siteKind(insn.NopCall.String()), siteKind(insn.Emulated.String()), siteKind(insn.Stepped.String())
	returning := stepped // kind of return instructions
	if runtime.GOARCH == "arm64" {
		returning = emulated
	}
	return []calibrationTest{
		{calibrate.NopCall, nop5, ""},
		{calibrate.NopCallTrampoline, nop5, kindTrampoline},
		{calibrate.NopCallStepped, nop5, returning},
		{calibrate.Emulated, emulated, ""},
		{calibrate.EmulatedTrampoline, emulated, kindTrampoline},
		{calibrate.EmulatedStepped, emulated, returning},
		{calibrate.Stepped, stepped, ""},
		{calibrate.SteppedTrampoline, stepped, kindTrampoline},
		{calibrate.SteppedStepped, stepped, returning},
		{calibrate.EmulatedGo, emulated + kindGo, ""},
		{calibrate.EmulatedGoStepped, emulated + kindGo, returning + kindGo},
		{calibrate.SteppedGo, stepped + kindGo, ""},
		{calibrate.SteppedGoStepped, stepped + kindGo, returning + kindGo},
		{calibrate.USDT, kindUSDT, ""},
		{calibrate.USDTSpan, kindUSDT, kindUSDT},
		{calibrate.USDTArgs, kindUSDTArgs, ""},
		{calibrate.USDTArgsSpan, kindUSDTArgs, kindUSDT},
		{calibrate.USDTSpanArgs, kindUSDT, kindUSDTArgs},
		{calibrate.USDTArgsSpanArgs, kindUSDTArgs, kindUSDTArgs},
	}
}

// calibrationTestsFor returns the tests to run when a recording begins, and the tests that its plan
// uses. If more functions can appear, or with an overhead limit, first has all tests that functions
// may need.
func calibrationTestsFor(p *plan.Plan, grows, limited bool) (first, used []calibrationTest) {
	kinds := map[siteKind]map[siteKind]bool{}
	for _, m := range p.Modules {
		for i := range m.Funcs {
			entry, ret := siteKinds(&m.Funcs[i], m.Goid != 0)
			if kinds[entry] == nil {
				kinds[entry] = map[siteKind]bool{"": true} // each is also measured alone
			}
			kinds[entry][ret] = true
		}
	}
	used = slices.DeleteFunc(calibrationTests(), func(t calibrationTest) bool { return !kinds[t.entry][t.ret] })
	if !grows && !limited {
		return used, used
	}
	usdt := p.CountTableSites(grows) > 0
	return slices.DeleteFunc(calibrationTests(), func(t calibrationTest) bool { return t.function >= calibrate.USDT && !usdt }), used
}
