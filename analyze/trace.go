package analyze

import "time"

// Trace describes the analyzed trace, or several together.
type Trace struct {
	Files    []string
	Hosts    []string
	Kernels  []string
	Commands []string
	Start    time.Time     // of the first recording
	Duration time.Duration // from Start to the end of the last recording
	// Durations are those of the recordings, in the order of Files.
	Durations []time.Duration
	Events    uint64 // in the files
	Sched     bool   // at least one trace has rows of the scheduler, so that times can be divided
	Switches  uint64 // how often threads left a processor
	Samples   uint64 // of where threads ran
	SampleHz  int    // how often a second each processor took one; the highest of all traces
	Lost      uint64 // events that a probe saw, but that are not in the files
	// UnmatchedReturns are returns whose entry was not seen, mostly of calls that had begun before
	// the recording.
	UnmatchedReturns uint64
	// Dropped counts complete calls that were not kept: the files have only their number and times,
	// see Stats.Dropped. DroppedIncomplete counts further ones, whose return was not seen.
	Dropped, DroppedIncomplete uint64
	// SlowerThan is the minimum duration of the calls that were kept; 0 if all were, or if it
	// depends on the function or the trace.
	SlowerThan time.Duration
	Conditions []Condition // under which calls were kept: first durations, then probes by name
	LeftOut    int         // functions that were asked for and not probed
	Survey     *Survey     // nil if all functions were probed all the time
	Threads    int         // with events
	PIDs       []int       // ascending
	Probes     ProbeCost
	Unmeasured []string        // those of Files that have calls, but no calibration for any of them
	Losses     []LossWindow    // by trace and time
	Touched    []TouchedThread // by number of uncertain calls, highest first
	// Processes are those with events, and those that were to be recorded, by PID. A process that
	// has executed another program is there twice, in order of time.
	Processes  []Process
	Recordings []Recording // in the order of Files
}

// Program is what a process runs until it executes something else.
type Program struct {
	PID  int
	Name string
}

// Process is a process of a trace.
type Process struct {
	PID     int
	Name    string
	Command string // its command line, "" if unknown
	Exe     string // path of its program, "" if unknown

	Cgroup    string // path of its control group, "" for the root or if unknown
	Unit      string // of systemd, "" for none
	Container string // name, or the first digits of its ID; "" for none
	Pod       string // NAMESPACE/NAME, "" for none
	Called    bool   // it has events
}

// Recorded returns the duration of all recordings together.
func (t *Trace) Recorded() (sum time.Duration) {
	for _, d := range t.Durations {
		sum += d
	}
	return sum
}
