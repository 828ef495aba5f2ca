package record

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/target"
)

// hazards are the properties of a file, and of the process that it is part
// of, that decide whether its functions' return addresses may be replaced.
type hazards struct {
	why       string // "" for none
	leaves    bool   // leaf functions are in danger, too
	callbacks string // why functions that call the program back are in danger, "" if they are not
	nameless  string // why a function without a name may be one of those that unsafeReturn names; "" if it cannot
	isGo      bool
	goid      uint16 // with isGo: see goidOffset
}

// surroundings are the hazards that all files of a process bring to each other: an
// exception thrown in one unwinds through the others, and a switch of stacks
// does not ask whose frames are on them.
type surroundings struct {
	throws   string // why exceptions may pass through, "" if they do not
	cancels  string // why threads may be cancelled
	switches string // why stacks may be switched
	altstack string // why signal handlers may run on stacks of their own
	signals  bool   // there are signal handlers
	hooks    string // by what functions of the C library may call back that otherwise do not
	unknown  string // why not all code of the process, or not all processes, are known
}

// unknownProcess is what surrounds a file that is probed in processes that nobody has looked at.
const unknownProcess = "what else is in its process is not known"

// newSurroundings looks at all files of a process, its program first. started says that the process has read its configuration.
func newSurroundings(files []*target.File, started bool) surroundings {
	var s surroundings
	for _, f := range files {
		if f.IsLibc() { // it defines for others what it does not do
			continue
		}
		name := baseName(f.Path)
		if why, ok := f.LoadsCode(); ok && s.unknown == "" && !loadsHarmless(f) && !(started && loadsAtStart(f)) {
			s.unknown = "what code its process loads later is not known (" + name + " has " + why + ")"
		}
		if f.IsGo() { // it is looked at as such
			continue
		}
		if why, ok := f.Throws(); ok && s.throws == "" {
			s.throws = "exceptions may unwind through it (" + name + " has " + why + ")"
		}
		if why, ok := f.Cancels(); ok && s.cancels == "" {
			s.cancels = "a cancelled thread may unwind through it (" + name + " has " + why + ")"
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
		if _, ok := f.Imports("sigaltstack"); ok && s.altstack == "" {
			s.altstack = "signal handlers may run on another stack (" + name + " has sigaltstack)"
		}
		if why, ok := f.Imports(hookSymbols()...); ok && s.hooks == "" {
			s.hooks = why
		}
		if _, ok := f.Imports("sigaction", "signal", "__sysv_signal", "bsd_signal", "ssignal", "sigset", "sigaltstack"); ok {
			s.signals = true
		}
	}
	if s.unknown == "" && s.switches == "" {
		s.switches = homeMadeSwitch(files)
	}
	return s
}

// hookSymbols make functions of the C library call the program that otherwise do not: those of streams, of printf, of parsing arguments.
func hookSymbols() []string {
	return []string{"fopencookie", "register_printf_function", "register_printf_specifier", "register_printf_modifier", "register_printf_type",
		"argp_parse", "_obstack_begin", "_obstack_begin_1"}
}

// homeMadeSwitch looks for code in the files that loads the stack pointer as only a switch of stacks does, whatever its name is.
func homeMadeSwitch(files []*target.File) string {
	for _, f := range files {
		if f.IsLibc() || f.IsGo() || hasSoname(f, "ld-linux", "libgcc_s.so", "libunwind", "libcrypto.so", "libffi.so") { // libffi moves its own frame
			continue
		}
		if at, ok := f.LoadsStackPointer(); ok {
			return fmt.Sprintf("it may switch stacks (the code of %s at %#x loads the stack pointer)", baseName(f.Path), uint64(at))
		}
	}
	return ""
}

// loadsHarmless names libraries whose plugins neither throw through functions of others nor switch stacks: each is C, or behind an interface of C
// that does one thing and returns. They are engines of cryptography, tokens, ways to log in, an encoding, or a library of the
// same authors that is wanted seldom.
func loadsHarmless(f *target.File) bool {
	return hasSoname(f, "libcrypto.so", "libp11-kit.so", "libkrb5support.so", "libsasl2.so", "libselinux.so", "libmount.so", "libsystemd.so",
		"libsqlite3.so", "libxml2.so", "libicuuc.so", "libdw.so", "libncurses", "libtinfo.so")
}

// loadsAtStart names programs that load plugins only while they read their configuration: Redis 7 refuses MODULE LOAD
// unless enable-module-command is set there, which earlier versions do not know.
func loadsAtStart(f *target.File) bool {
	name := baseName(f.Path)
	if name != "redis-server" && name != "redis-check-rdb" { // Debian's redis-server is a link to that
		return false
	}
	_, ok := f.DataHolds("enable-module-command\x00")
	return ok
}

func hasSoname(f *target.File, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(f.Soname, prefix) })
}

// newHazards looks at a file and what surrounds it.
func newHazards(file *target.File, s surroundings) hazards {
	h := hazards{leaves: s.signals || s.cancels != "" || s.switches != "" || s.altstack != "" || s.unknown != ""}
	if file.IsLibc() {
		h.callbacks = first(s.throws, s.switches)
	}
	libc, holdsLibc := file.HoldsLibc()
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
	case s.unknown != "":
		h.why = s.unknown
	case h.callbacks != "" && s.hooks != "":
		h.why, h.leaves = h.callbacks+", called back by "+s.hooks, true
	case holdsLibc && s.cancels != "": // by a signal, wherever it waits
		h.why = s.cancels
	case file.IsLibc() && s.signals && s.switches != "": // a signal handler may switch, whatever it interrupts
		h.why = s.switches
	case file.IsLibc(): // its functions neither throw nor switch; for callbacks see callsBack
	case s.throws != "":
		h.why = s.throws
	case s.switches != "":
		h.why = s.switches
	}
	if h.why == "" && file.Stripped() {
		if holdsLibc {
			h.nameless = "a function without a name may be setjmp or its like (" + libc + ")"
		} else if at, ok := file.LoadsStackPointer(); ok {
			h.nameless = fmt.Sprintf("it may switch stacks (the code at %#x loads the stack pointer)", uint64(at))
		}
	}
	return h
}

// or joins what surrounds a file in two processes.
func (s surroundings) or(other surroundings) surroundings {
	return surroundings{
		throws: first(s.throws, other.throws), cancels: first(s.cancels, other.cancels), switches: first(s.switches, other.switches), altstack: first(s.altstack, other.altstack),
		signals: s.signals || other.signals, hooks: first(s.hooks, other.hooks), unknown: first(s.unknown, other.unknown),
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
