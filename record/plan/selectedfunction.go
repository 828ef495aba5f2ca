//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// Limits of the functions that are planned if nobody has asked for them. Planning takes about 20 us
// for each, and a command waits meanwhile.
const (
	maxChosenFuncs  = 10_000 // of a program
	maxMachineFuncs = 30_000 // of all busy or selected programs of the machine, which share them equally
)

// chosenLimit returns how many functions of a program are planned if this many busy or selected
// programs were chosen, 0 for none.
func chosenLimit(programs int) int { return min(maxChosenFuncs, maxMachineFuncs/max(1, programs)) }

// selectedFunc is a function that a probe selects by one of its symbols.
type selectedFunc struct {
	*elffile.Func
	symbol string
	by     *probe.Probe
	rank   functionRank // set by keepMost
}

// functionRank is a class of functions, the most useful first.
type functionRank int

const (
	namedFunc functionRank = iota
	namelessFunc
	runtimeFunc // see Func.OfRuntime
)

func (s *selectedFunc) findRank() functionRank {
	switch {
	case ofRuntime(s.symbol):
		return runtimeFunc
	case s.Recovered:
		return namelessFunc
	}
	return namedFunc
}

// keepMost returns at most Plan.maxFuncs of the functions, and notes in Plan.Surplus how many others
// there are. It keeps the most useful ones: see functionRank. Of each rank it keeps large ones before
// small ones, which are called most often and say least.
func (f *filePlan) keepMost(list []selectedFunc) []selectedFunc {
	most := f.p.maxFuncs
	if most == 0 || len(list) <= most {
		return list
	}

	for i := range list {
		list[i].rank = list[i].findRank()
	}
	slices.SortFunc(list, func(a, b selectedFunc) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.Size, a.Size), cmp.Compare(a.Addr, b.Addr))
	})
	f.p.Surplus = append(f.p.Surplus, fmt.Sprintf("%s of %s functions of %s",
		humanize.Comma(int64(len(list)-most)), humanize.Comma(int64(len(list))), baseName(f.img.Path)))
	list = list[:most]
	slices.SortFunc(list, func(a, b selectedFunc) int { return cmp.Compare(a.Addr, b.Addr) }) // quicker to read
	return list
}
