//go:build linux

package plan

import (
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
)

// misplaced is a location of a static probe without a site.
type misplaced struct {
	name usdtName
	addr abi.Addr
	why  string
}

// placeStatics parts the locations of static probes in those that can be probed and those at which a breakpoint would do harm. What
// the linker has thrown away is in neither.
func placeUSDT(file *elffile.File, list []elffile.USDTProbe) (placed []elffile.USDTProbe, harmful []misplaced) {
	list = slices.DeleteFunc(slices.Clone(list), func(p elffile.USDTProbe) bool {
		_, ok := file.FileOff(p.Addr)
		return !ok
	})
	why := file.UnprobeableUSDT(list)
	for _, p := range list {
		if why[p.Addr] == "" {
			placed = append(placed, p)
		} else {
			harmful = append(harmful, misplaced{usdtName{p.Provider, p.Name}, p.Addr, why[p.Addr]})
		}
	}
	return placed, harmful
}

// leaveOutMisplaced tells of the misplaced locations that probes select.
func (f *filePlan) leaveOutMisplaced(s *usdtPlan) {
	for _, loc := range s.misplaced {
		wanted := false
		for _, pr := range f.probes {
			if loc.name.matches(pr) {
				f.matched[pr] = true
				wanted = wanted || !pr.Exclude
			}
		}
		if wanted && !f.excludesUSDT(loc.name) {
			f.leaveOut(loc.name.String(), loc.addr, loc.why)
		}
	}
}
