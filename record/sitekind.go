//go:build linux

package record

import (
	"runtime"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/calibrate"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// siteKind is the class of a site and the payload of its record, as in format.Func. Empty: none, or
// unknown.
type siteKind string

// Kinds of sites that are calibrated. The names of insn.Class stand for C code without arguments.
const (
	kindTrampoline siteKind = "trampoline"
	kindStatic     siteKind = "static"      // an emulated nop with the program for static probes
	kindStaticArgs siteKind = "static-args" // the same, with texts as arguments
	kindGo         siteKind = "-go"         // suffix of the name of an insn.Class: Go code
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
		{calibrate.Static, kindStatic, ""},
		{calibrate.StaticSpan, kindStatic, kindStatic},
		{calibrate.StaticArgs, kindStaticArgs, ""},
		{calibrate.StaticArgsSpan, kindStaticArgs, kindStatic},
		{calibrate.StaticSpanArgs, kindStatic, kindStaticArgs},
		{calibrate.StaticArgsSpanArgs, kindStaticArgs, kindStaticArgs},
	}
}

// siteKinds returns the kinds of a function's sites, for a Calibration. If a condition is decided
// at the entry, the time is taken after that (bpf/site.h), so the call excludes fetching the
// arguments.
func siteKinds(fn *plan.Func, goCode bool) (entry, ret siteKind) {
	for _, s := range fn.USDTSites {
		kind := kindStatic
		late := s.Site.NumConds > 0 && s.Site.Kind != format.Return && s.Site.Flags&bpf.SiteDeferred == 0
		if s.Site.NumArgs > 0 && !late {
			kind = kindStaticArgs
		}
		if s.Class != insn.Emulated {
			return "", ""
		}
		if s.Site.Kind == format.Return {
			ret = max(ret, kind)
		} else {
			entry = max(entry, kind)
		}
	}
	if len(fn.USDTSites) > 0 {
		return entry, ret
	}
	suffix := siteKind("")
	if goCode {
		suffix = kindGo
	}
	switch fn.ReturnBy {
	case plan.ByTrampoline:
		ret = kindTrampoline
	case plan.ByInstruction:
		ret = siteKind(fn.Returning.String()) + suffix
	}
	return siteKind(fn.Class.String()) + suffix, ret
}

// calibrationTestsFor returns the tests to run when a recording begins, and those that its plan
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
	return slices.DeleteFunc(calibrationTests(), func(t calibrationTest) bool { return t.function >= calibrate.Static && !usdt }), used
}
