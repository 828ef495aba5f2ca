//go:build linux

package record

import (
	"utrace/format"
	"utrace/record/plan"
)

// module is a file with functions to probe, while it is recorded.
type module struct {
	*plan.Module
	first     format.FuncID  // of its functions, as the programs number them
	share     int            // how many functions share their links, see attach
	usdtSites map[int][]site // locations of static probes that the kernel's programs know, by index into Funcs
	refused   map[int]bool   // functions that the kernel refuses to probe in some process, by index
}

func newModules(planned []*plan.Module) []*module {
	list := make([]*module, 0, len(planned))
	for _, m := range planned {
		list = append(list, &module{Module: m})
	}
	return list
}
