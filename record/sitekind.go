//go:build linux

package record

import (
	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// siteKind is the class of a site and the payload of its record, as in format.Func. Empty: none, or
// unknown.
type siteKind string

// Kinds of sites that are calibrated. The names of insn.Class are used for C code without
// arguments.
const (
	kindTrampoline siteKind = "trampoline"
	kindUSDT       siteKind = "static"      // an emulated nop with the program for static probes
	kindUSDTArgs   siteKind = "static-args" // the same, with texts as arguments
	kindGo         siteKind = "-go"         // suffix of the name of an insn.Class: Go code
)

// siteKinds returns the kinds of a function's sites, for a Calibration. If a condition is decided
// at the entry, the time is taken after that (bpf/site.h), so the call excludes fetching the
// arguments.
func siteKinds(fn *plan.Func, goCode bool) (entry, ret siteKind) {
	for _, s := range fn.USDTSites {
		kind := kindUSDT
		late := s.Site.NumConds > 0 && s.Site.Kind != format.Return && s.Site.Flags&bpf.SiteDeferred == 0
		if s.Site.NumArgs > 0 && !late {
			kind = kindUSDTArgs
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
