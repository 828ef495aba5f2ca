//go:build linux

package record

import (
	"runtime"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/calibrate"
)

// siteKind is the class of a site and the payload of its record, as format.Func has it. Empty: none, or not known.
type siteKind string

// Kinds of sites that are calibrated. The names of SiteClass stand for C code without arguments.
const (
	kindTrampoline siteKind = "trampoline"
	kindStatic     siteKind = "static"      // an emulated nop with the program for static probes
	kindStaticArgs siteKind = "static-args" // the same, with texts as arguments
	kindGo         siteKind = "-go"         // behind the name of a SiteClass: code of Go
)

// calibrationTest is a function that a calibrator calls, and what is learned from it.
type calibrationTest struct {
	function   int
	entry, ret siteKind
}

func calibrationTests() []calibrationTest {
	nop5, emulated, stepped := siteKind(NopCall.String()), siteKind(Emulated.String()), siteKind(Stepped.String())
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

// siteKinds returns the kinds of a function's sites, for a Calibration. Where a condition is decided at the entry, its time is taken
// behind that (bpf/site.h): what fetching the arguments takes is not in the call.
func (fn *PlannedFunc) siteKinds(goCode bool) (entry, ret siteKind) {
	for _, s := range fn.Statics {
		kind := kindStatic
		late := s.site.NumConds > 0 && s.site.Kind != format.Return && s.site.Flags&bpf.SiteDeferred == 0
		if s.site.NumArgs > 0 && !late {
			kind = kindStaticArgs
		}
		if s.Class != Emulated {
			return "", ""
		}
		if s.site.Kind == format.Return {
			ret = max(ret, kind)
		} else {
			entry = max(entry, kind)
		}
	}
	if len(fn.Statics) > 0 {
		return entry, ret
	}
	suffix := siteKind("")
	if goCode {
		suffix = kindGo
	}
	switch fn.ReturnBy {
	case ByTrampoline:
		ret = kindTrampoline
	case ByInstruction:
		ret = siteKind(fn.Returning.String()) + suffix
	}
	return siteKind(fn.Class.String()) + suffix, ret
}

// firstTests are what is tried when the recording begins: what the functions of the plan need, or everything, where more
// can come or a limit is to be kept.
func (r *recording) firstTests() []calibrationTest {
	if r.follower == nil && r.cfg.MaxOverhead == 0 {
		return r.usedTests()
	}
	statics := r.plan.countDataSites(r.follower != nil) > 0
	return slices.DeleteFunc(calibrationTests(), func(t calibrationTest) bool { return t.function >= calibrate.Static && !statics })
}

// usedTests are those for the functions of the plan.
func (r *recording) usedTests() []calibrationTest {
	used := map[siteKind]map[siteKind]bool{}
	for _, m := range r.plan.Modules {
		for i := range m.Funcs {
			entry, ret := m.Funcs[i].siteKinds(m.Goid != 0)
			if used[entry] == nil {
				used[entry] = map[siteKind]bool{"": true} // each is also measured alone
			}
			used[entry][ret] = true
		}
	}
	return slices.DeleteFunc(calibrationTests(), func(t calibrationTest) bool { return !used[t.entry][t.ret] })
}
