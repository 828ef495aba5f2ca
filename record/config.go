//go:build linux

package record

import (
	"time"

	"utrace/bpf"
	"utrace/record/internal/live"
	"utrace/record/internal/output"
	"utrace/record/plan"
)

// Config says what to record, and where to write it.
type Config struct {
	plan.Config
	Duration  time.Duration // 0: until the targets end or the context is done
	Output    string
	Flight    *Flight  // a trace is written only of the time around a moment; nil: of all the time
	Observer  Observer // gets the calls instead of a trace; nil: there is a trace
	Force     bool     // replace an output file that is not a trace
	MaxBytes  int64    // stop when the file reaches this size; 0: no limit
	RingBytes int      // of each of two buffers per CPU: a power of two and a multiple of the page size
	Attach    bpf.Method
	// MaxOverhead is the share of a process's CPU time that its probes may use before functions are
	// removed: 1 is all of it, 0 means no limit.
	MaxOverhead float64
	// Samples is how often a second each processor takes a sample of a recorded thread that it runs;
	// 0: never. There are none if calls are deferred, see doc.go.
	Samples int
	// Calibrator is a command line that runs ServeCalibration. Without it typical costs are used.
	Calibrator []string
	// LinkHolder is a command line that runs ServeLinks. Without it a recorder that is killed can
	// leave breakpoints in its targets.
	LinkHolder []string
	Version    string
	Args       []string // the recorder's own command line, for the trace
	// Labels are kept in the trace. They must pass format.CheckLabels.
	Labels map[string]string

	// Started, unless nil, is called once the command has been started, or at once without a
	// command.
	Started func()
	// Progress, unless nil, is called a few times a second.
	Progress func(Progress)
	// AwaitCommand, unless nil, is called when the context has ended and the trace is complete, if
	// the command may still be running. It reports whether it has seen the command's end.
	AwaitCommand func(ended <-chan struct{}) bool
	// Notice, unless nil, is called with events worth knowing while they happen.
	Notice func(text string)
}

// Observer gets the calls of a recording while they happen.
type Observer = live.Observer

// Errors about Config.Output.
var (
	ErrNotRegular = output.ErrNotRegular
	ErrNotTrace   = output.ErrNotTrace
)
