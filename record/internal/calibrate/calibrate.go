//go:build linux

// Package calibrate runs in the process in which the cost of probes is measured. It has functions
// in assembly whose instructions are known. They can bear return probes, since nothing of Go's
// runtime happens in them.
//
//  1. Serve writes where the functions are, as offsets into the file of the program.
//  2. The recorder attaches probes to them.
//  3. On each Request, Serve calls a function many times in a row. The records of the probes show
//     how long that took. Alternatively it measures how much time a thread loses when another one,
//     such as the recorder's, runs instead of it (displace.go).
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

// The functions, by the class of the instruction at their entry, followed by the class at their
// return, or Trampoline, if that is probed. Names with Go have probes for Go code. Names with USDT
// have no probe at their first byte, but at two nops, after an instruction that loads the address
// of a text into TextRegister.
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
	USDT
	USDTSpan
	USDTArgs
	USDTArgsSpan
	USDTSpanArgs
	USDTArgsSpanArgs

	Functions // their number
)

// Sites are the offsets of a function's probes into the file.
type Sites struct {
	Entry, Return uint64
}

// Request asks for calls, or for displacements.
type Request struct {
	Function      int
	Calls         int
	Displacements int // instead of calls: how often another thread should displace this one
}

// Reply reports that a Request is done.
type Reply struct {
	Request
	Switches    int64 // how often the thread lost its processor meanwhile
	DisplacedNs int64 // cost of a displacement, without the time for which the other thread runs; 0: unknown
}

// maxCalls limits Request.Calls.
const maxCalls = 1 << 20

// functions are the addresses of the functions.
var functions [Functions]uintptr

// call calls a function.
func call(function uintptr)

// Serve writes the Sites of all functions, and then a Reply to each Request that it reads, as JSON.
func Serve(r io.Reader, w io.Writer) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // displace needs two
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	sites := make([]Sites, Functions)
	for i, addr := range functions {
		off, err := fileOff(string(maps), uint64(addr))
		if err != nil {
			return err
		}
		begin, end := probed(i)
		sites[i] = Sites{off + begin, off + end}
	}
	in, out := json.NewDecoder(r), json.NewEncoder(w)
	if err := out.Encode(sites); err != nil {
		return err
	}
	for {
		var req Request
		switch err := in.Decode(&req); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
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

// probed returns the offsets of a function's probes from its beginning, in bytes.
func probed(function int) (begin, end uint64) {
	switch {
	case function >= USDT:
		return usdtBegin, usdtEnd
	case function <= NopCallStepped:
		return 0, nopCallReturn
	case function >= Stepped && function <= SteppedStepped, function >= SteppedGo:
		return 0, steppedReturn
	}
	return 0, emulatedReturn
}

// fileOff translates an address of this process into an offset into the mapped file.
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
