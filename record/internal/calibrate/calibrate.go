//go:build linux

// Package calibrate is what the process runs in which the cost of probes is measured: functions whose
// instructions are known, in assembly, which can bear return probes since nothing of Go's
// runtime happens in them.
//
//  1. Serve says where the functions are, as offsets into the file of the program.
//  2. The recorder attaches probes there, and says so by a byte.
//  3. Serve calls each function many times and says what a call took.
package calibrate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// Sites has a value for each function.
type Sites struct {
	NopCall, Emulated, Stepped uint64 // by the class of the instruction to probe
	Returning                  uint64 // to be probed at its entry, which is like Emulated, and at its return
	Static                     uint64 // a nop, with the address of a text in register TextRegister
}

// The calls of each function: the fastest of rounds counts, for others want the processor, too.
const (
	rounds = 5
	calls  = 100
)

func nopCall()
func emulated()
func stepped()
func returning()
func static()
func addresses() (nopCall, emulated, stepped, returning, static uintptr)

// Serve is one run: it writes the file offsets of Sites, reads a byte, and writes the nanoseconds
// that a call of each takes.
func Serve(r io.Reader, w io.Writer) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	var at Sites
	a, b, c, d, e := addresses()
	for addr, off := range map[uintptr]*uint64{a: &at.NopCall, b: &at.Emulated, c: &at.Stepped, d: &at.Returning, e: &at.Static} {
		if *off, err = fileOff(string(maps), uint64(addr)); err != nil {
			return err
		}
	}
	out := json.NewEncoder(w)
	if err := out.Encode(at); err != nil {
		return err
	}
	if _, err := bufio.NewReader(r).ReadByte(); err != nil {
		return fmt.Errorf("wait for the probes: %w", err)
	}
	return out.Encode(Sites{
		NopCall: measure(nopCall), Emulated: measure(emulated), Stepped: measure(stepped), Returning: measure(returning), Static: measure(static),
	})
}

// measure returns how much CPU time a call takes, in ns.
func measure(fn func()) uint64 {
	fn() // the kernel rewrites a nop of 5 bytes when it is first hit
	best := int64(math.MaxInt64)
	for range rounds {
		start := threadTime()
		for range calls {
			fn()
		}
		best = min(best, threadTime()-start)
	}
	return uint64(best / calls)
}

// threadTime returns the CPU time that this thread has used, in ns.
func threadTime() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

// fileOff turns an address of this process into an offset into the file that is mapped there.
func fileOff(maps string, addr uint64) (uint64, error) {
	for line := range strings.Lines(maps) {
		var from, to, off uint64
		var perm string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &perm, &off); n == 4 && from <= addr && addr < to {
			return addr - from + off, nil
		}
	}
	return 0, fmt.Errorf("nothing is mapped at %#x", addr)
}
