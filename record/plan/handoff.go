package plan

import (
	"fmt"

	"utrace/format"
	"utrace/record/internal/elffile"
)

// Handoff is where Go's runtime lets a goroutine wait, or ends its wait.
type Handoff struct {
	FileOff uint64
	Kind    format.Kind // SchedOut or Wakeup
	Curg    uint16      // offset of the running goroutine in the runtime's struct m, in bytes; 0: unknown
}

// addHandoffs plans the hand-offs between goroutines, if the scheduler is to be recorded: what ends
// a wait calls ready, on the stack of the scheduler, after the goroutine has called gopark. Without
// one of them there are none.
func (f *filePlan) addHandoffs(pl *placer, funcs []elffile.Func) {
	if !f.p.sched || f.m.Goid == 0 {
		return
	}
	kinds := map[string]format.Kind{"runtime.gopark": format.SchedOut, "runtime.ready": format.Wakeup}
	var list []Handoff
	for i := range funcs {
		kind, ok := kinds[funcs[i].Name]
		if !ok {
			continue
		}
		placed, why := pl.place(funcs[i], true)
		if why != "" || f.whyNoBreakpoint(placed.entry.Addr) != "" {
			return
		}
		off, _ := f.img.File.FileOff(placed.entry.Addr)
		list = append(list, Handoff{FileOff: uint64(off), Kind: kind, Curg: curgOffset(f.img.File.GoVersion())})
	}
	if len(list) == len(kinds) {
		f.m.Handoffs = list
	}
}

// curgOffset returns the offset of field curg in the runtime's struct m, as goidOffset does.
func curgOffset(version string) uint16 {
	var minor int
	if _, err := fmt.Sscanf(version, "go1.%d", &minor); err != nil {
		return 0
	}
	switch {
	case minor >= 20 && minor <= 24:
		return 192
	case minor == 25 || minor == 26:
		return 184
	}
	return 0
}
