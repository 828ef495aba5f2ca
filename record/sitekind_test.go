//go:build linux

package record

import (
	"testing"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/insn"
	"utrace/record/plan"
)

// TestSiteKindsOfSpans: the cost of fetching arguments is subtracted only from spans that include
// it, and not if a condition is decided before their time is taken.
func TestSiteKindsOfSpans(t *testing.T) {
	for _, c := range []struct {
		name       string
		begin, end bpf.Site
		entry, ret siteKind
	}{
		{"no arguments", bpf.Site{}, bpf.Site{}, kindUSDT, kindUSDT},
		{"arguments", bpf.Site{NumArgs: 1}, bpf.Site{NumArgs: 1}, kindUSDTArgs, kindUSDTArgs},
		{"a condition", bpf.Site{NumArgs: 1, NumConds: 1}, bpf.Site{NumArgs: 1}, kindUSDT, kindUSDTArgs},
		{"a condition at the end", bpf.Site{NumArgs: 1, NumConds: 1, Flags: bpf.SiteDeferred}, bpf.Site{NumArgs: 1, NumConds: 1, Flags: bpf.SiteDeferred}, kindUSDTArgs, kindUSDTArgs},
	} {
		c.begin.Kind, c.end.Kind = format.Entry, format.Return
		fn := plan.Func{USDTSites: []plan.USDTSite{{Class: insn.Emulated, Site: c.begin}, {Class: insn.Emulated, Site: c.end}}}
		if entry, ret := siteKinds(&fn, false); entry != c.entry || ret != c.ret {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, entry, ret, c.entry, c.ret)
		}
	}
}
