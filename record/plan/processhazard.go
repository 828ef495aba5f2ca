package plan

import (
	"cmp"
	"fmt"

	"utrace/record/internal/elffile"
)

// processHazards are hazards that the files of a process pose to one another. An exception thrown
// in one file unwinds through the others. A switch of stacks affects whatever frames are on them.
// Each text is a reason, "" for none.
type processHazards struct {
	throws   string // why exceptions may pass through
	cancels  string // why threads may be cancelled
	switches string // why stacks may be switched
	altstack string // why signal handlers may run on stacks of their own
	signals  bool   // there are signal handlers
	hooks    string // what makes functions of the C library call back that otherwise do not
	unknown  string // why some code of the process, or some process, is not known
}

// unknownProcess is the hazard of a file in processes that nobody has looked at.
const unknownProcess = "what else is in its process is not known"

// newProcessHazards looks at all files of a process, its program first. started is set if the
// process has read its configuration.
func newProcessHazards(files []*elffile.File, started bool) processHazards {
	var s processHazards
	for _, f := range files {
		if !f.IsLibc() { // it defines for others what it does not do itself
			s.add(f, started)
		}
	}
	if s.unknown == "" && s.switches == "" {
		s.switches = handwrittenSwitch(files)
	}
	return s
}

// add adds the hazards of one file.
func (s *processHazards) add(f *elffile.File, started bool) {
	sign := func(symbol string) string { return baseName(f.Path) + " has " + symbol }
	if why, ok := f.LoadsCode(); ok && s.unknown == "" && !loadsHarmless(f) && !(started && loadsAtStart(f)) {
		s.unknown = "what code its process loads later is not known (" + sign(why) + ")"
	}
	if f.IsGo() { // newFileHazards keeps all its return addresses
		return
	}

	if why, ok := f.Throws(); ok && s.throws == "" {
		s.throws = whyThrows(sign(why))
	}
	if why, ok := f.Cancels(); ok && s.cancels == "" {
		s.cancels = "a cancelled thread may unwind through it (" + sign(why) + ")"
	}

	const whyAltstack = "signal handlers may run on another stack (%s)"
	if why, ok := f.SwitchesStacks(); ok {
		switch {
		case why == "sigaltstack":
			s.altstack = fmt.Sprintf(whyAltstack, sign(why))
		case hasSoname(f, "libcrypto.so"):
			// For asynchronous jobs, which a program must ask for.
		default:
			s.switches = whySwitches(sign(why))
		}
	}
	if _, ok := f.Imports("sigaltstack"); ok && s.altstack == "" {
		s.altstack = fmt.Sprintf(whyAltstack, sign("sigaltstack"))
	}

	if why, ok := f.Imports(hookSetters()...); ok && s.hooks == "" {
		s.hooks = why
	}
	if _, ok := f.Imports("sigaction", "signal", "__sysv_signal", "bsd_signal", "ssignal", "sigset", "sigaltstack"); ok {
		s.signals = true
	}
}

// handwrittenSwitch looks in the files for code that loads the stack pointer as only a switch of
// stacks does, whatever its name is.
func handwrittenSwitch(files []*elffile.File) string {
	for _, f := range files {
		// libffi moves only its own frame.
		if f.IsLibc() || f.IsGo() || hasSoname(f, "ld-linux", "libgcc_s.so", "libunwind", "libcrypto.so", "libffi.so") {
			continue
		}
		if at, ok := f.LoadsStackPointer(); ok {
			return whySwitches(fmt.Sprintf("the code of %s at %#x loads the stack pointer", baseName(f.Path), uint64(at)))
		}
	}
	return ""
}

// loadsHarmless names libraries whose plugins neither throw through the functions of others nor
// switch stacks. Each plugin is C, or has an interface of C that does one thing and returns. These
// are engines of cryptography, tokens, ways to log in, an encoding, or a library of the same
// authors that is seldom needed.
func loadsHarmless(f *elffile.File) bool {
	return hasSoname(f, "libcrypto.so", "libp11-kit.so", "libkrb5support.so", "libsasl2.so", "libselinux.so", "libmount.so", "libsystemd.so",
		"libsqlite3.so", "libxml2.so", "libicuuc.so", "libdw.so", "libncurses", "libtinfo.so")
}

// loadsAtStart names programs that load plugins only while they read their configuration. Redis 7
// refuses MODULE LOAD unless its configuration sets enable-module-command. Earlier versions lack
// that option and load modules at any time.
func loadsAtStart(f *elffile.File) bool {
	name := baseName(f.Path)
	if name != "redis-server" && name != "redis-check-rdb" { // Debian's redis-server is a link to that
		return false
	}
	_, ok := f.DataHolds("enable-module-command\x00")
	return ok
}

// or joins the hazards of two processes that run the same file.
func (s processHazards) or(other processHazards) processHazards {
	return processHazards{
		throws: cmp.Or(s.throws, other.throws), cancels: cmp.Or(s.cancels, other.cancels),
		switches: cmp.Or(s.switches, other.switches), altstack: cmp.Or(s.altstack, other.altstack),
		signals: s.signals || other.signals,
		hooks:   cmp.Or(s.hooks, other.hooks), unknown: cmp.Or(s.unknown, other.unknown),
	}
}
