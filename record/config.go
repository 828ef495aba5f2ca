//go:build linux

package record

import (
	"errors"
	"syscall"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/plan"
)

// Config says what to record, and where to.
type Config struct {
	plan.Config
	Duration  time.Duration // 0: until the targets end or the context is done
	Output    string
	Force     bool  // replace an output file that is not a trace
	MaxBytes  int64 // stop at this size of the file; 0: no limit
	RingBytes int   // of each of two buffers per CPU: a power of two and a multiple of the page size
	Attach    bpf.Method
	// MaxOverhead is how much of the CPU time of a process its probes may cost, 1 for all of it, before functions are
	// taken off; 0: whatever they cost.
	MaxOverhead float64
	// Calibrator is a command line that runs ServeCalibration; without it typical costs are taken.
	Calibrator []string
	Version    string
	Args       []string // the recorder's own command line, for the trace

	// Started is called, if it is not nil, once the command, if any, has been started.
	Started func()
	// Progress is called a few times a second, if it is not nil.
	Progress func(Progress)
	// AwaitCommand is called, if it is not nil, when the context has ended and the trace is
	// complete, while the command may still be running. It reports whether it has seen the command's end.
	AwaitCommand func(ended <-chan struct{}) bool
	// Notice is called with what is good to know while it happens, if it is not nil.
	Notice func(text string)
}

// Errors about Config.Output.
var (
	ErrNotRegular = errors.New("exists and is not a regular file")
	ErrNotTrace   = errors.New("exists and is not a trace")
)

// Progress is the state of a running recording.
type Progress struct {
	Elapsed time.Duration
	Events  uint64
	Lost    uint64
	Bytes   int64
}

// Summary tells what was recorded.
type Summary struct {
	Reason      string // why the recording ended
	Duration    time.Duration
	Events      uint64
	Calls       uint64 // entries
	Sched       uint64 // rows of the scheduler, see Config.Sched
	LostSched   uint64
	Dropped     uint64 // further calls, which did not meet a condition that is decided when they return
	LostEntries uint64
	LostReturns uint64
	Overhead    time.Duration // of the processors, that the probes took; 0 if it was not measured
	Bytes       int64
	Modules     int
	Funcs       int
	LeftOut     []format.LeftOut
	Removed     []Removed // most hits first
	Warnings    []string  // what is missing in the trace
	CommandPID  int
	Command     *syscall.WaitStatus // nil while the command is running, or without one
}

// Removed is a function whose probes were removed while recording, because they cost a process too much.
type Removed struct {
	Name string
	format.TakenOff
}
