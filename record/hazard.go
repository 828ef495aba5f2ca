package record

import (
	"fmt"
	"strings"

	"utrace/record/internal/target"
)

// hazards are the properties of a file, and of the process that it is part
// of, that decide whether its functions' return addresses may be replaced.
type hazards struct {
	why       string // "" for none
	leaves    bool   // leaf functions are in danger, too
	callbacks bool   // the program may throw through functions that call it back
	nameless  string // why a function without a name may be one of those that unsafeReturn names; "" if it cannot
	isGo      bool
	goid      uint16 // with isGo: see goidOffset
}

// surroundings are the hazards that all files of a process bring to each other: an
// exception thrown in one unwinds through the others, and a switch of stacks
// does not ask whose frames are on them.
type surroundings struct {
	throws   string // why exceptions may pass through, "" if they do not
	switches string // why stacks may be switched
	altstack string // why signal handlers may run on stacks of their own
	signals  bool   // there are signal handlers
	unknown  bool   // not all files of the process, or not all processes, are known
}

// newSurroundings looks at all files of a process, its program first.
func newSurroundings(files []*target.File) surroundings {
	var s surroundings
	for i, f := range files {
		if f.IsLibc() || f.IsGo() { // libc defines for others what it does not do; a Go program is looked at as such
			continue
		}
		name := baseName(f.Path)
		if why, ok := f.Throws(); ok && s.throws == "" {
			s.throws = "exceptions may unwind through it (" + name + " has " + why + ")"
		}
		if why, ok := f.SwitchesStacks(); ok {
			switch {
			case why == "sigaltstack":
				s.altstack = "signal handlers may run on another stack (" + name + " has " + why + ")"
			case strings.HasPrefix(f.Soname, "libcrypto.so"):
				// For asynchronous jobs, which a program must ask for.
			default:
				s.switches = "it may switch stacks (" + name + " has " + why + ")"
			}
		}
		if i == 0 && s.switches == "" {
			if at, ok := f.LoadsStackPointer(); ok {
				s.switches = fmt.Sprintf("it may switch stacks (the code at %#x loads the stack pointer)", uint64(at))
			}
		}
		if _, ok := f.Imports("sigaltstack"); ok && s.altstack == "" {
			s.altstack = "signal handlers may run on another stack (" + name + " has sigaltstack)"
		}
		if _, ok := f.Imports("sigaction", "signal", "__sysv_signal", "sigaltstack"); ok {
			s.signals = true
		}
	}
	return s
}

// newHazards looks at a file and what surrounds it.
func newHazards(file *target.File, s surroundings) hazards {
	h := hazards{callbacks: s.throws != "" || s.unknown, leaves: s.signals || s.switches != "" || s.altstack != "" || s.unknown}
	unwinds, throws := file.Unwinds()
	switches, moves := file.SwitchesStacks()
	h.leaves = h.leaves || moves // the switch itself is a leaf
	switch {
	case file.IsGo():
		// A leaf can be preempted, and its stack moved then.
		h.why, h.leaves, h.isGo, h.goid = "Go moves its stacks", true, true, goidOffset(file.GoVersion())
	case throws:
		h.why = "exceptions may unwind through it (" + unwinds + ")"
	case moves && !strings.HasPrefix(file.Soname, "libcrypto.so"):
		h.why = "it may switch stacks (" + switches + ")"
	case s.altstack != "":
		h.why = s.altstack
	case s.unknown:
		h.why = "what else is in its process is not known"
	case file.IsLibc(): // its functions neither throw nor switch; for callbacks see callsBack
	case s.throws != "":
		h.why = s.throws
	case s.switches != "":
		h.why = s.switches
	}
	if h.why == "" && file.Stripped() {
		if why, ok := file.HoldsLibc(); ok {
			h.nameless = "a function without a name may be setjmp or its like (" + why + ")"
		} else if at, ok := file.LoadsStackPointer(); ok {
			h.nameless = fmt.Sprintf("it may switch stacks (the code at %#x loads the stack pointer)", uint64(at))
		}
	}
	return h
}

// or joins what surrounds a file in two processes.
func (s surroundings) or(other surroundings) surroundings {
	first := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	return surroundings{
		throws: first(s.throws, other.throws), switches: first(s.switches, other.switches), altstack: first(s.altstack, other.altstack),
		signals: s.signals || other.signals, unknown: s.unknown || other.unknown,
	}
}
