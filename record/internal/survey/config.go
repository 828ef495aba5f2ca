//go:build linux

package survey

import (
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/linker"
	"utrace/record/plan"
)

// Config is what a survey needs of a recording.
type Config struct {
	Limit  float64 // share of the CPU time of a process that its probes may use, 1 is all of it
	Objs   *bpf.Objects
	Method bpf.Method
	Linker linker.Linker // makes the links
	Trace  Trace
	// Hits returns the costs of an entry (or hit) and of a return of a function, 0 without one.
	Hits func(fn *plan.Func) (entry, ret time.Duration)
	// Recorded returns the recorded processes if they are followed. It is nil if each module knows
	// its processes, or with the whole machine.
	Recorded func() ([]int, error)
	Machine  bool          // all processes are recorded
	Command  bool          // a command is recorded, from its first instruction
	Samples  bool          // CPU time is sampled, see Survey.Rank
	Duration time.Duration // of the recording; 0: unlimited
}

// Module is a file with functions to probe.
type Module struct {
	*plan.Module
	First  format.FuncID // of its functions, as numbered in records
	Probes Probes
}

// Probes attaches and removes the probes of a module.
type Probes interface {
	// Open attaches a set wherever the module is attached, and from now on in every process in which
	// the module is attached later. It returns once that is done.
	Open(set *Set) error
	// Close removes a set everywhere. done is closed once it is, which can take 60 ms.
	Close(set *Set) (done <-chan struct{})
	// Processes returns where the module is attached, by PID. PID 0 is all processes.
	Processes() []int
}

// Trace queues the results of a survey for the trace. Its methods do not wait.
type Trace interface {
	// AddWindow queues a window of a set, and the set before its first one. It fills in window.Set.
	AddWindow(set *Set, window format.Window)
	// AddSurvey queues the counters of a module. It fills in counters.Module.
	AddSurvey(m Module, counters format.Survey)
}

// Sampled is how many samples fell into a function.
type Sampled struct {
	Leaf int // the function itself was running
	Any  int // it, or a function that it had called
}

// Figures says how a recording has kept to its overhead limit.
type Figures struct {
	Limit, Used              float64 // share of the processor time of the processes
	Always, Windows, Skipped int     // functions that were probed always, at times, and never
}
