//go:build linux

package record

import (
	"fmt"
	"slices"
	"testing"

	"utrace/record/plan"
)

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
		m.share = share
		a := attacher{batch: 100, module: m, refused: map[int]error{}}
		a.attach(sites, &attached, func(batch []site) pendingLink {
			text := fmt.Sprintf("%d:", group(batch[0].fn, share))
			for _, s := range batch {
				text += fmt.Sprintf(" %d", s.fn)
			}
			groups = append(groups, text)
			return pending(nil)
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
