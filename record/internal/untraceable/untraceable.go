//go:build linux

// Package untraceable recognizes programs that behave differently while they have a tracer
// (ptrace(2)):
//
//   - LeakSanitizer, also as a part of AddressSanitizer, refuses to work.
//   - Debuggers trace their children, or processes given by ID. A process has only one tracer.
//   - Some programs look for a tracer (TracerPid in /proc/self/status).
package untraceable

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"utrace/record/internal/clock"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/proc"
)

// Reason says why a program must not have a tracer.
type Reason struct {
	Text string // what the program does, such as "traces processes"; "" if it may have a tracer
	All  bool   // its arguments name a process that this thread traces
}

// Processes are the processes of a recording that a tracer lets go of. They know which later
// programs it could therefore not hold.
type Processes struct {
	reasons map[image.Program]string // of Executed alone

	mu   sync.Mutex    // protects all below
	free map[int]*free // by PID
	all  *free         // since when no process is held, nil before
}

// free is a process without a tracer, with its children.
type free struct {
	name    string // of the program
	reason  Reason
	sinceNs uint64 // CLOCK_MONOTONIC
	missed  bool   // a program was executed that was not held
}

func New() *Processes {
	return &Processes{reasons: map[image.Program]string{}, free: map[int]*free{}}
}

// Executed examines the program that a process has just executed. If the reason has a text, the
// caller must let go of the process, or of all. A program that cannot be read may have a tracer.
// Only one goroutine may call Executed.
func (p *Processes) Executed(pid int) Reason {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return Reason{}
	}
	r := Reason{Text: p.reason(pid, exe)}
	r.All = r.Text == traces && namesTracee(pid)

	p.mu.Lock() // not before: the drainer must not wait for a large program
	defer p.mu.Unlock()
	delete(p.free, pid)
	if r.Text == "" {
		return r
	}
	f := &free{name: filepath.Base(exe), reason: r, sinceNs: clock.MonotonicNs()}
	p.free[pid] = f
	if r.All {
		p.all = f
	}
	return r
}

// Forked notes that a process has forked a child.
func (p *Processes) Forked(parent, child int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.free[parent]; f != nil {
		p.free[child] = f
	}
}

// Ran notes that a process has executed a program, at a time of CLOCK_MONOTONIC.
func (p *Processes) Ran(pid int, timeNs uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := cmp.Or(p.all, p.free[pid]); f != nil && timeNs > f.sinceNs {
		f.missed = true
	}
}

// Warnings says why programs were not held, once for each reason.
func (p *Processes) Warnings() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.free {
		if f.missed {
			whose := "its children"
			if f.reason.All {
				whose = "any process since then"
			}
			list = append(list, fmt.Sprintf("%s %s: utrace could not hold the programs that %s executed, and their first calls may be missing", f.name, f.reason.Text, whose))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// reason returns why the program of a process, exe, must not have a tracer. It examines each
// program once.
func (p *Processes) reason(pid int, exe string) string {
	version, err := image.VersionOf(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	env := proc.Environ(pid)
	key := image.NewProgram(version, env)
	if r, known := p.reasons[key]; known {
		return r
	}
	files := image.NewSet()
	defer files.Close()
	program, err := files.Get("", 0, exe, proc.ExePath(pid, exe))
	if err != nil {
		return ""
	}
	r := reason(program.File, env)
	p.reasons[key] = r
	return r
}

const (
	traces        = "traces processes"
	looks         = "looks for a debugger"
	leakSanitizer = "has LeakSanitizer, which refuses to run under a debugger"
)

// reason examines a program with its environment.
func reason(f *elffile.File, env []string) string {
	if isDebugger(f) {
		return traces
	}
	libs, missing := ldso.New(env).Closure(f)
	if slices.ContainsFunc(append(libs, missing...), isLeakSanitizer) {
		return leakSanitizer
	}
	const refusal, field = "LeakSanitizer does not work", "TracerPid:" // of a static LeakSanitizer; of /proc/self/status
	switch found, _ := f.DataHolds(refusal, field); found {
	case refusal:
		return leakSanitizer
	case field:
		return looks
	}
	return ""
}

// isDebugger reports whether a program traces processes. Some make the system call without a
// function, and are known by their names.
func isDebugger(f *elffile.File) bool {
	if slices.Contains([]string{"gdb", "gdbserver", "lldb-server", "ltrace", "rr", "strace"}, filepath.Base(f.Path)) {
		return true
	}
	_, calls := f.Imports("ptrace")
	switch {
	case calls:
		return true
	case f.IsGo():
		_, calls = f.DataHolds("\x00syscall.ptrace\x00", "golang.org/x/sys/unix.ptrace")
	case f.Interp == "": // static
		_, calls = f.Defines("ptrace")
	}
	return calls
}

// isLeakSanitizer reports whether a library has LeakSanitizer.
func isLeakSanitizer(path string) bool {
	names := []string{"libasan.so", "liblsan.so", "libhwasan.so", "libclang_rt.asan", "libclang_rt.hwasan"}
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(filepath.Base(path), name) })
}

// namesTracee reports whether a number in the arguments of a process is the ID of a process that
// the calling thread traces: gdb -p 123, strace -p123.
func namesTracee(pid int) bool {
	tracer := []byte(fmt.Sprintf("\nTracerPid:\t%d\n", unix.Gettid()))
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	numbers := bytes.FieldsFunc(args, func(r rune) bool { return r < '0' || r > '9' })
	return slices.ContainsFunc(numbers, func(number []byte) bool {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%s/status", number))
		return string(number) != strconv.Itoa(pid) && bytes.Contains(status, tracer)
	})
}
