package dwarf

import (
	"slices"
	"strings"
)

const whySpecial = "this function has a calling convention of its own"

// whyNotConventional returns the reason why the calling convention may not hold for the parameters
// of a function, "" if it holds.
func (w *walk) whyNotConventional(f funcInfo, fn Function) string {
	switch {
	case f.noCall:
		return "optimised out: the compiler has changed how this function is called"
	case f.special:
		return whySpecial
	case isClone(fn.Name, ".isra.", ".constprop.", ".part.", ".specialized."):
		return "optimised out: " + fn.Name + " is a copy that the compiler has changed"
	}
	if f.changedSilently(20) {
		return "LLVM may have changed how this local function is called, and does not say"
	}
	return ""
}

// whyResultNotConventional is like whyNotConventional, for results.
func (w *walk) whyResultNotConventional(f funcInfo, fn Function) string {
	switch {
	case f.noCall:
		return "the compiler has changed how this function is called"
	case f.special:
		return whySpecial
	case isClone(fn.Name, ".isra.", ".part."):
		return fn.Name + " is a copy that the compiler has changed: it may return something else"
	case f.changedSilently(15):
		return "LLVM may have changed what this local function returns, and does not say"
	}
	return ""
}

// changedSilently reports whether LLVM may have dropped or changed parameters or results of a
// function without saying so. It does that to functions that are only called from their own unit.
// Since version `since` it marks them (DW_CC_nocall), except functions with a separate declaration,
// like methods.
func (f *funcInfo) changedSilently(since int) bool {
	version := llvmVersion(f.unit.producer)
	return version != 0 && f.optimised && !f.external && (version < since || f.declared)
}

// isClone reports whether GCC made a function as a copy of another, by the suffix of its name.
func isClone(symbol string, marks ...string) bool {
	return slices.ContainsFunc(marks, func(mark string) bool { return strings.Contains(symbol, mark) })
}
