package plan

import (
	"cmp"
	"fmt"
	"strings"

	"utrace/record/internal/elffile"
)

// fileHazards say which functions of a file must keep their return addresses, because of the file
// itself and of the processes that run it.
type fileHazards struct {
	why       string // why functions must keep them, "" if they need not
	leaves    bool   // leaf functions must as well
	callbacks string // why functions that call back the program must, "" if they need not
	nameless  string // why a function without a name may be one that unsafeReturn lists, "" if it cannot
	isGo      bool
	goid      uint16 // with isGo: see goidOffset
}

// newFileHazards looks at a file and the hazards of its processes.
func newFileHazards(file *elffile.File, s processHazards) fileHazards {
	h := fileHazards{leaves: s.signals || s.cancels != "" || s.switches != "" || s.altstack != "" || s.unknown != ""}
	if file.IsLibc() {
		h.callbacks = cmp.Or(s.throws, s.switches)
	}
	libc, holdsLibc := file.HoldsLibc()
	unwinds, throws := file.Unwinds()
	switches, moves := file.SwitchesStacks()
	h.leaves = h.leaves || moves // the switch itself is a leaf

	switch {
	case file.IsGo():
		// A leaf can be preempted, and its stack moved meanwhile.
		h.why, h.leaves, h.isGo, h.goid = "Go moves its stacks", true, true, goidOffset(file.GoVersion())
	case throws:
		h.why = whyThrows(unwinds)
	case moves && !hasSoname(file, "libcrypto.so"):
		h.why = whySwitches(switches)
	case s.altstack != "":
		h.why = s.altstack
	case s.unknown != "":
		h.why = s.unknown
	case h.callbacks != "" && s.hooks != "":
		h.why, h.leaves = h.callbacks+", called back by "+s.hooks, true
	case holdsLibc && s.cancels != "": // by a signal, wherever it waits
		h.why = s.cancels
	case file.IsLibc() && s.signals && s.switches != "": // a signal handler may switch, whatever it interrupts
		h.why = s.switches
	case file.IsLibc(): // its functions neither throw nor switch; some call back: see callsBack
	case s.throws != "":
		h.why = s.throws
	case s.switches != "":
		h.why = s.switches
	}

	if h.why == "" && file.Stripped() {
		if holdsLibc {
			h.nameless = "a function without a name may be setjmp or its like (" + libc + ")"
		} else if at, ok := file.LoadsStackPointer(); ok {
			h.nameless = whySwitches(fmt.Sprintf("the code at %#x loads the stack pointer", uint64(at)))
		}
	}
	return h
}

// whyFiltered is the reason to keep all return addresses on kernels without bpf.FilteredReturns.
// Any program may have a filter, or install one later.
const whyFiltered = "this kernel lets system call filters (seccomp) kill programs at return probes"

func whyThrows(sign string) string { return "exceptions may unwind through it (" + sign + ")" }

func whySwitches(sign string) string { return "it may switch stacks (" + sign + ")" }

// hasSoname reports whether the soname of a file begins with one of the prefixes.
func hasSoname(f *elffile.File, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(f.Soname, prefix) {
			return true
		}
	}
	return false
}
