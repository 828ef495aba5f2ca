//go:build linux

// Package calibrate is what the process runs in which the cost of probes is measured: functions whose
// instructions are known, in assembly, which can bear return probes since nothing of Go's
// runtime happens in them.
//
//  1. Serve says where the functions are, as offsets into the file of the program.
//  2. The recorder attaches probes there.
//  3. On each Request, Serve calls a function many times in a row. The records of the probes say what that took. Or it
//     measures what it takes from a thread when another one, such as the recorder's, runs in its place (displace.go).
//  4. It ends with its input.
package calibrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// The functions, by the class of the instruction at their entry, and that of what their return is seen by, if it is.
// In those called Go the probes are for code of Go; those called Static have no probe at their first byte but at
// two nops, behind an instruction that loads the address of a text into TextRegister.
const (
	NopCall = iota
	NopCallTrampoline
	NopCallStepped
	Emulated
	EmulatedTrampoline
	EmulatedStepped
	Stepped
	SteppedTrampoline
	SteppedStepped
	EmulatedGo
	EmulatedGoStepped
	SteppedGo
	SteppedGoStepped
	Static
	StaticSpan
	StaticArgs
	StaticArgsSpan
	StaticSpanArgs
	StaticArgsSpanArgs

	Functions // how many there are
)

// Place is where a function has its probes, as offsets into the file.
type Place struct {
	Entry, Return uint64
}

// Request asks for calls, or to be displaced.
type Request struct {
	Function      int
	Calls         int
	Displacements int // instead of calls: how often another thread is to take the place of this one
}

// Reply tells that they are done.
type Reply struct {
	Request
	Switches    int64 // how often the thread lost its processor meanwhile
	DisplacedNs int64 // what a displacement takes, beside the time for which the other thread runs; 0: not known
}

// maxCalls bounds a Request.
const maxCalls = 1 << 20

// functions are the addresses of the functions.
var functions [Functions]uintptr

// call calls a function.
func call(function uintptr)

// Serve writes the Places of all functions, and then, for each Request that it reads, a Reply, as JSON.
func Serve(r io.Reader, w io.Writer) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // displace needs two
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	places := make([]Place, Functions)
	for i, addr := range functions {
		off, err := fileOff(string(maps), uint64(addr))
		if err != nil {
			return err
		}
		begin, end := probed(i)
		places[i] = Place{off + begin, off + end}
	}
	in, out := json.NewDecoder(r), json.NewEncoder(w)
	if err := out.Encode(places); err != nil {
		return err
	}
	for {
		var req Request
		switch err := in.Decode(&req); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read what to call: %w", err)
		case req.Function < 0 || req.Function >= Functions || req.Calls < 0 || req.Calls > maxCalls:
			return fmt.Errorf("cannot call function %d %d times", req.Function, req.Calls)
		case req.Displacements < 0 || req.Displacements > maxDisplacements:
			return fmt.Errorf("cannot be displaced %d times", req.Displacements)
		}
		displaced := int64(0)
		if req.Displacements > 0 {
			displaced = displace(req.Displacements)
		}
		at := functions[req.Function]
		before := switches()
		for range req.Calls {
			call(at)
		}
		if err := out.Encode(Reply{req, switches() - before, displaced}); err != nil {
			return err
		}
	}
}

// switches returns how often this thread has lost its processor.
func switches() int64 {
	var usage unix.Rusage
	unix.Getrusage(unix.RUSAGE_THREAD, &usage)
	return usage.Nvcsw + usage.Nivcsw
}

// probed returns where a function has its probes, in bytes from its beginning.
func probed(function int) (begin, end uint64) {
	switch {
	case function >= Static:
		return staticBegin, staticEnd
	case function <= NopCallStepped:
		return 0, nopCallReturn
	case function >= Stepped && function <= SteppedStepped, function >= SteppedGo:
		return 0, steppedReturn
	}
	return 0, emulatedReturn
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
