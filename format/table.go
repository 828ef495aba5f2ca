package format

import (
	"strconv"
	"strings"
)

// Anchor ties the trace's clock to the wall clock at one moment.
type Anchor struct {
	MonoNs int64 `json:"mono_ns"` // CLOCK_MONOTONIC
	WallNs int64 `json:"wall_ns"` // since 1970-01-01 UTC
}

// Meta are the facts that are available when a recording starts. They are in the metadata of the
// Arrow schema, under the key "utrace".
type Meta struct {
	Recorder  string   `json:"recorder"` // version of utrace
	Host      string   `json:"host"`
	Kernel    string   `json:"kernel"`
	Arch      string   `json:"arch"`              // GOARCH
	Args      []string `json:"args"`              // the recorder's command line
	Command   []string `json:"command,omitempty"` // the command that it started
	PIDs      []int    `json:"pids,omitempty"`    // the requested processes
	Probes    []string `json:"probes,omitempty"`
	Presets   []string `json:"presets,omitempty"` // including the ones that utrace chose
	Chosen    bool     `json:"chosen,omitempty"`  // utrace chose what to probe
	Follow    bool     `json:"follow,omitempty"`  // children of the processes are recorded as well
	CPUs      int      `json:"cpus"`
	RingBytes int      `json:"ring_bytes"`       // per CPU
	Start     Anchor   `json:"start"`            // event times count from Start.MonoNs
	Sched     bool     `json:"sched,omitempty"`  // threads have rows of the scheduler, see SchedOut
	Stacks    bool     `json:"stacks,omitempty"` // entries have the Stack of their callers

	DurationNs         int64   `json:"duration_ns,omitempty"`          // how long to record; 0: no limit
	MaxBytes           int64   `json:"max_bytes,omitempty"`            // size at which to stop; 0: no limit
	SlowerThanNs       int64   `json:"slower_than_ns,omitempty"`       // only calls at least this long were kept; 0: all
	MaxOverheadPercent float64 `json:"max_overhead_percent,omitempty"` // of the CPU time of each process; 0: no limit
	Costs              *Costs  `json:"costs,omitempty"`                // nil if they were not needed

	// Labels are what the user says about the recording, such as the version of a program. A key has
	// letters, digits, and _ . - /, and begins with a letter. See CheckLabels for the limits.
	Labels map[string]string `json:"labels,omitempty"`

	// SampleHz is how often a second the clock of each processor ticked for samples. 0: there are
	// none.
	SampleHz int `json:"sample_hz,omitempty"`
}

// Costs are the costs of a hit to its thread, in ns, including its record.
type Costs struct {
	Measured     bool  `json:"measured"` // at the start of the recording; otherwise typical costs
	NopCallNs    int64 `json:"nop5_ns"`  // on a nop of 5 bytes, which the kernel replaces by a call
	EmulatedNs   int64 `json:"emulated_ns"`
	SteppedNs    int64 `json:"stepped_ns"`
	TrampolineNs int64 `json:"trampoline_ns"` // a return probe, through the kernel's trampoline
	ArgsNs       int64 `json:"args_ns"`       // in addition, if a static probe has arguments
}

// ModuleID numbers the modules of a trace in the order of their definition.
type ModuleID uint32

// Segment is an executable segment of a module's file.
type Segment struct {
	Addr    uint64 `json:"addr"` // virtual address in the file
	FileOff uint64 `json:"file_off"`
	Size    uint64 `json:"size"` // bytes
}

// Module is an executable or shared library with probes in it.
type Module struct {
	Path     string    `json:"path"`
	BuildID  string    `json:"build_id,omitempty"` // hexadecimal
	Segments []Segment `json:"segments,omitempty"`
}

// Func is a function (or, with Hit set, a single instruction) that was probed.
type Func struct {
	Name     string   `json:"name"`             // for people: demangled, without parameters
	Symbol   string   `json:"symbol,omitempty"` // in the symbol table, if that differs
	Module   ModuleID `json:"module"`
	Addr     uint64   `json:"addr"` // virtual address in the file
	Size     uint64   `json:"size,omitempty"`
	File     string   `json:"file,omitempty"` // source file, from DWARF or the symbol table
	Line     int      `json:"line,omitempty"`
	Hit      bool     `json:"hit,omitempty"`       // an instruction in a function: hits have no return
	NoReturn bool     `json:"no_return,omitempty"` // entries only: its return could not be probed safely
	USDT     string   `json:"static,omitempty"`    // of a static probe, or of the one where a span begins: PROVIDER:NAME
	Args     []Arg    `json:"args,omitempty"`      // values of its entries or hits
	Results  []Arg    `json:"results,omitempty"`   // values of its returns
	// The classes of its sites: a Calibration with the same two classes has the cost of recording
	// the function. Empty: unknown.
	EntryClass  string `json:"entry_class,omitempty"`
	ReturnClass string `json:"return_class,omitempty"`
}

// Unnamed reports whether nothing named the function when it was recorded. Then its name is its
// address, as sub_4a10 or, of a place on a stack, 0x4a10.
func (f *Func) Unnamed() bool {
	address, ok := strings.CutPrefix(f.Name, "sub_")
	if !ok {
		address, ok = strings.CutPrefix(f.Name, "0x")
	}
	return f.Addr != 0 && (f.Name == "" || ok && address == strconv.FormatUint(f.Addr, 16))
}

// Arg describes a value of the events of a function.
type Arg struct {
	Name string `json:"name"`
	Type string `json:"type"` // as in a probe: str, u32, s64, x64, ptr, bool, char, f64 …
}

// Process is a process with events, or one of Meta.PIDs. A process that executes another program is
// defined again, as is a PID that is reused.
type Process struct {
	PID  int      `json:"pid"`
	Comm string   `json:"comm"`
	Args []string `json:"args,omitempty"` // its command line
	Exe  string   `json:"exe,omitempty"`  // path of its program

	// Where it runs, as far as that is known. Traces of older versions have none of it.
	Cgroup    string `json:"cgroup,omitempty"`    // path of its control group; "": the root, or unknown
	Unit      string `json:"unit,omitempty"`      // of systemd, such as web.service
	Container string `json:"container,omitempty"` // name, or the first digits of the ID
	Pod       string `json:"pod,omitempty"`       // NAMESPACE/NAME
}

// Thread is a thread with events, or a goroutine of a Go program.
type Thread struct {
	PID       int    `json:"pid"`
	TID       int    `json:"tid"` // of a goroutine: the thread on which it was first seen
	Comm      string `json:"comm"`
	Goroutine uint64 `json:"goroutine,omitempty"` // its number, 0 for a thread
	// Track is not 0 for spans that an argument distinguishes. They may overlap, or end on another
	// thread than they began. Spans of a process that run at the same time are in tracks 1, 2, 3 …,
	// and each track is a Thread. TID is then the thread that first began a span.
	Track int `json:"track,omitempty"`
}

// Loss counts the events that one CPU lost between two moments, because its ring was full. Times
// count from Meta.Start.MonoNs.
type Loss struct {
	CPU     int    `json:"cpu"`
	FirstNs uint64 `json:"first_ns"`
	LastNs  uint64 `json:"last_ns"`
	Entries uint64 `json:"entries"`
	Returns uint64 `json:"returns"`
	Sched   uint64 `json:"sched,omitempty"` // rows of the scheduler
}

// LeftOut is a function that was asked for but not probed, and why.
type LeftOut struct {
	Name   string `json:"name"`
	Module string `json:"module"` // path
	Addr   uint64 `json:"addr"`
	Reason string `json:"reason"`
}

// Survey is what a recording with an overhead limit probes in a module. Its functions are probed in
// Windows. A module without a Survey was probed from the first to the last moment. A Survey is
// defined again as its counters grow: so it says how they grew, and the last one has the sums.
type Survey struct {
	Module ModuleID `json:"module"`
	TimeNs uint64   `json:"time_ns"` // since Meta.Start.MonoNs
	Funcs  int      `json:"funcs"`   // the functions and static probes to choose from
	// CPUNs is the processor time that the processes with the module have used since the start,
	// less the cost of their probes. The unit of the windows' CPUNs.
	CPUNs uint64 `json:"cpu_ns"`
	// CostNs is the processor time that the probes have taken, as estimated while recording.
	CostNs uint64 `json:"cost_ns"`
	// IOCalls is how often the processes have read, written, sent or received since the start; 0 if it
	// is unknown. Of processes that work with sockets, only calls on these may count. The unit of the
	// windows' IOCalls.
	IOCalls uint64 `json:"io_calls,omitempty"`
	// ByIO is set if the calls of functions vary less by IOCalls than by CPUNs: then IOCalls is the
	// measure of windows.
	ByIO bool `json:"by_io,omitempty"`
}

// SetID numbers the ProbeSets of a trace in the order of their definition.
type SetID uint32

// ProbeSet are functions of one module that are probed at the same times. A static probe whose
// events have other names is in it under its own number.
type ProbeSet struct {
	Funcs []FuncID `json:"funcs"`
}

// Window is an interval in which the functions of a ProbeSet were probed. It comes after events of
// the interval. If one window begins where another of the same function ends, calls go on across.
type Window struct {
	Set    SetID  `json:"set"`
	FromNs uint64 `json:"from_ns"` // since Meta.Start.MonoNs
	// Calls that begin from FromNs up to ToNs are a fair sample of all calls. Events were recorded
	// until OffNs: a call that has not returned by then is incomplete. Calls that begin after ToNs
	// are no fair sample, because OffNs may depend on them.
	ToNs  uint64 `json:"to_ns"`
	OffNs uint64 `json:"off_ns"`
	// CPUNs is the processor time that the processes with the module have used between FromNs and
	// ToNs, less the cost of their probes. 0 if it is unknown.
	CPUNs uint64 `json:"cpu_ns"`
	// CostNs is the processor time that the probes of the module have taken between FromNs and ToNs,
	// as estimated while recording: CPUNs is off by as much as that is.
	CostNs uint64 `json:"cost_ns,omitempty"`
	// IOCalls is how often the processes have done so, see Survey, between FromNs and ToNs.
	IOCalls uint64 `json:"io_calls,omitempty"`
	// Rough is set if so much of the processor time went to the probes that CPUNs is rough. With All,
	// CPUNs then comes from the calls in the window, and from how often these functions are called
	// in other windows: it is no measure for their number. A rough window with a CPUNs of 0 had too
	// many probes for any figure but the number of recorded calls.
	Rough bool `json:"rough,omitempty"`
	// All is set if all functions of the module that were known to be called were probed, from
	// FromNs to OffNs. Only then are callers known.
	All bool `json:"all,omitempty"`
}

// Dropped counts the calls of a function in a process that did not meet a condition. The condition
// is decided at the return, such as duration > 1ms. These calls have no rows, except those with a
// DroppedReturn. Of several definitions for the same function and process the last counts.
type Dropped struct {
	Func       FuncID `json:"func"`
	PID        int    `json:"pid"`
	Complete   uint64 `json:"complete"`
	Incomplete uint64 `json:"incomplete,omitempty"` // no return was seen
	SumNs      uint64 `json:"sum_ns"`               // of the complete calls
	TotalNs    uint64 `json:"total_ns"`             // without calls inside another call of the function, dropped or not
	SelfNs     uint64 `json:"self_ns"`              // without the probed calls in them
	// InsideNs is the time of dropped calls made directly by this function's kept calls.
	InsideNs uint64 `json:"inside_ns,omitempty"`
}

// Calibration is the cost of hits, measured at one moment in a process of the recorder's own. There
// is one from the start of the recording, and more from later.
type Calibration struct {
	TimeNs uint64     `json:"time_ns"` // since Meta.Start.MonoNs
	Sites  []SiteCost `json:"sites"`
	// QuietNs is how long all calls would have taken with every hit at its median. InterruptNs is
	// how much longer they took, because the kernel had other work to do; calls during which
	// another thread ran are excluded. A program loses the same share of its time, so it loses more
	// the longer it is in probes.
	QuietNs     int64 `json:"quiet_ns"`
	InterruptNs int64 `json:"interrupt_ns"`
	// DisplacedNs is what a displacement costs a thread in addition to the time in a row Displaced:
	// the interrupt before, two switches, and the path back. 0 if it was not measured.
	DisplacedNs int64 `json:"displaced_ns,omitempty"`
}

// SiteCost is the cost of calls of functions with sites of some class. Each figure is a median; its
// iqr_ns is the distance between its quartiles.
type SiteCost struct {
	Entry  string `json:"entry"`            // as in Func.EntryClass
	Return string `json:"return,omitempty"` // as in Func.ReturnClass
	// EntryNs is the time that an entry, or hit, takes from its thread, before and after its
	// timestamp.
	EntryNs    int64 `json:"entry_ns"`
	EntryIQRNs int64 `json:"entry_iqr_ns"`
	// InsideNs is the duration of a call that does nothing: the time that its hits take between the
	// timestamps of entry and return.
	InsideNs    int64 `json:"inside_ns,omitempty"`
	InsideIQRNs int64 `json:"inside_iqr_ns,omitempty"`
	// CallNs is the time that entry and return take together.
	CallNs    int64 `json:"call_ns,omitempty"`
	CallIQRNs int64 `json:"call_iqr_ns,omitempty"`
}

// Stack is a place in a function from which a call was made, and the Stack of that function's
// caller. An entry's Value is the place from which it was called, a Sample's is where the thread
// was. Places with the same caller's stack share its rows.
type Stack struct {
	Func FuncID `json:"func"`
	// Addr is a return address, as a virtual address in the file. In a Sample's innermost place it
	// is the address of the instruction, plus 1. 0 for code in no file.
	Addr uint64 `json:"addr"`
	Line int    `json:"line,omitempty"` // of the call, in the Func's File
	// Outer is the place from which the function was called, defined before this one; 0 if unknown.
	Outer StackID `json:"outer,omitempty"`
}

// MaxStack is the largest number of places of a stack. Places further out are not recorded.
const MaxStack = 127

// FuncLoss counts the events of one function that were lost, or did not meet a condition.
type FuncLoss struct {
	Func    FuncID `json:"func"`
	Entries uint64 `json:"entries"`
	Returns uint64 `json:"returns"`
}

// End closes a complete trace.
type End struct {
	Stop     Anchor     `json:"stop"`
	Reason   string     `json:"reason"` // why the recording ended
	Events   uint64     `json:"events"` // events in the file
	Entries  uint64     `json:"entries"`
	Sched    uint64     `json:"sched,omitempty"` // rows of the scheduler, which do not count as events
	Lost     uint64     `json:"lost"`            // events that a probe saw but the file lacks
	FuncLost []FuncLoss `json:"func_lost,omitempty"`
	// Unmet are hits that did not meet a condition on arguments, and the returns of such calls.
	// They cost time like other hits.
	Unmet []FuncLoss `json:"unmet,omitempty"`
	// Missing says, for people, which calls could not be recorded, for example those of a process
	// before it got its probes.
	Missing []string `json:"missing,omitempty"`

	Samples     uint64 `json:"samples,omitempty"`      // rows of the kind Sample, which do not count as events
	LostSamples uint64 `json:"lost_samples,omitempty"` // samples that found no room
}

// Tables has the definitions of a trace that were read so far.
type Tables struct {
	Modules   []Module
	Funcs     []Func
	Processes []Process
	Threads   []Thread
	Losses    []Loss
	LeftOut   []LeftOut
	Surveys   []Survey
	ProbeSets []ProbeSet // by SetID
	Windows   []Window
	Dropped   []Dropped
	Stacks    []Stack // by StackID-1
	// Calibrations are in the order of time.
	Calibrations []Calibration
	End          *End // nil until the end of a complete trace
}
