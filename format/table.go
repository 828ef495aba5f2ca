package format

// Anchor ties the trace's clock to the wall clock at one moment.
type Anchor struct {
	MonoNs int64 `json:"mono_ns"` // CLOCK_MONOTONIC
	WallNs int64 `json:"wall_ns"` // since 1970-01-01 UTC
}

// Meta is what is known when a recording starts. It is kept in the metadata of
// the Arrow schema under the key "utrace".
type Meta struct {
	Recorder  string   `json:"recorder"` // version of utrace
	Host      string   `json:"host"`
	Kernel    string   `json:"kernel"`
	Arch      string   `json:"arch"`              // GOARCH
	Args      []string `json:"args"`              // the recorder's command line
	Command   []string `json:"command,omitempty"` // the command that it started
	PIDs      []int    `json:"pids,omitempty"`    // the processes that were asked for
	Probes    []string `json:"probes,omitempty"`
	Presets   []string `json:"presets,omitempty"` // those that utrace has chosen included
	CPUs      int      `json:"cpus"`
	RingBytes int      `json:"ring_bytes"`       // per CPU
	Start     Anchor   `json:"start"`            // event times count from Start.MonoNs
	Sched     bool     `json:"sched,omitempty"`  // the rows of a thread tell when it ran, see SchedOut
	Stacks    bool     `json:"stacks,omitempty"` // entries have the Stack that they were called from

	SlowerThanNs       int64   `json:"slower_than_ns,omitempty"`       // only calls at least this long were kept; 0: all
	MaxOverheadPercent float64 `json:"max_overhead_percent,omitempty"` // of the CPU time of each process; 0: no limit
	Costs              *Costs  `json:"costs,omitempty"`                // nil where they were not needed
}

// Costs are what a hit of a probe costs the thread that makes it, its record included.
type Costs struct {
	Measured     bool  `json:"measured"` // when the recording started; else they are typical ones
	NopCallNs    int64 `json:"nop5_ns"`  // on a nop of 5 bytes that the kernel replaces by a call
	EmulatedNs   int64 `json:"emulated_ns"`
	SteppedNs    int64 `json:"stepped_ns"`
	TrampolineNs int64 `json:"trampoline_ns"` // a return by way of the kernel's trampoline
	ArgsNs       int64 `json:"args_ns"`       // in addition, where a static probe has arguments
}

// ModuleID numbers the modules of a trace in the order of their definition.
type ModuleID uint32

// Segment is an executable segment of a module's file.
type Segment struct {
	Addr    uint64 `json:"addr"` // virtual address as the file has it
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
	Symbol   string   `json:"symbol,omitempty"` // as the symbol table has it, where that differs
	Module   ModuleID `json:"module"`
	Addr     uint64   `json:"addr"` // virtual address as the file has it
	Size     uint64   `json:"size,omitempty"`
	File     string   `json:"file,omitempty"` // source file, from DWARF or the symbol table
	Line     int      `json:"line,omitempty"`
	Hit      bool     `json:"hit,omitempty"`       // a place within a function: hits have no return
	NoReturn bool     `json:"no_return,omitempty"` // entries only: its return could not be probed safely
	Static   string   `json:"static,omitempty"`    // of a static probe, or a span between two: PROVIDER:NAME of where it begins
	Args     []Arg    `json:"args,omitempty"`      // what its entries or hits carry
	Results  []Arg    `json:"results,omitempty"`   // what its returns carry
	// The classes of its sites: where a Calibration has the same two, it tells what recording it costs. Empty: not known.
	EntryClass  string `json:"entry_class,omitempty"`
	ReturnClass string `json:"return_class,omitempty"`
}

// Arg describes a value that the events of a function carry.
type Arg struct {
	Name string `json:"name"`
	Type string `json:"type"` // as in a probe: str, u32, s64, x64, ptr, bool, char, f64 …
}

// Process is a process that an event came from. One that executes another program,
// and a PID that is used again, are defined again.
type Process struct {
	PID  int      `json:"pid"`
	Comm string   `json:"comm"`
	Args []string `json:"args,omitempty"`
}

// Thread is a thread that events came from, or a goroutine of a Go program.
type Thread struct {
	PID       int    `json:"pid"`
	TID       int    `json:"tid"` // of a goroutine: the thread that it was first seen on
	Comm      string `json:"comm"`
	Goroutine uint64 `json:"goroutine,omitempty"` // its number, 0 for a thread
	// Track is not 0 for spans that are told apart by an argument and may overlap, or end on another
	// thread than they began on. Those of a process that run at the same time are in tracks
	// 1, 2, 3 …, each of which is a Thread of its own; TID is the thread that first began one.
	Track int `json:"track,omitempty"`
}

// Loss counts what one CPU could not record between two moments because its
// ring was full. Times count from Meta.Start.MonoNs.
type Loss struct {
	CPU     int    `json:"cpu"`
	FirstNs uint64 `json:"first_ns"`
	LastNs  uint64 `json:"last_ns"`
	Entries uint64 `json:"entries"`
	Returns uint64 `json:"returns"`
	Sched   uint64 `json:"sched,omitempty"` // rows of the scheduler
}

// LeftOut is a function that was asked for and not probed, and why.
type LeftOut struct {
	Name   string `json:"name"`
	Module string `json:"module"` // path
	Addr   uint64 `json:"addr"`
	Reason string `json:"reason"`
}

// TakenOff is a function, or static probe, that was taken off while recording, since it cost a process
// too much. Nothing of it is in the trace behind TimeNs. It may be defined twice; the later one counts.
type TakenOff struct {
	Func            FuncID  `json:"func"`             // of a static probe that others are named by: its own
	TimeNs          uint64  `json:"time_ns"`          // since Meta.Start.MonoNs
	Hits            uint64  `json:"hits"`             // passes over its probes up to then, in all processes, whatever became of their events
	PID             int     `json:"pid"`              // the process that was over the limit
	OverheadPercent float64 `json:"overhead_percent"` // what its hits cost, of the CPU time of the process
	Reason          string  `json:"reason"`           // for people
}

// Dropped counts the calls of a function in a process that did not meet a condition that is decided at the return, such as
// duration > 1ms. Nothing else of them is in the trace, but for DroppedReturns. Of several for the same two the last counts.
type Dropped struct {
	Func       FuncID `json:"func"`
	PID        int    `json:"pid"`
	Complete   uint64 `json:"complete"`
	Incomplete uint64 `json:"incomplete,omitempty"` // no return was seen
	SumNs      uint64 `json:"sum_ns"`               // of the complete ones
	TotalNs    uint64 `json:"total_ns"`             // the same, without those inside of a call of the same function, dropped or not
	SelfNs     uint64 `json:"self_ns"`              // without the probed calls in them
	// InsideNs is something else: the time of other calls, which were dropped, directly inside of those calls of this function
	// that were not.
	InsideNs uint64 `json:"inside_ns,omitempty"`
}

// Calibration is what hits were found to cost at one moment, in a process of the recorder's own. There is one of when the
// recording began, and more of while it lasted.
type Calibration struct {
	TimeNs uint64     `json:"time_ns"` // since Meta.Start.MonoNs
	Sites  []SiteCost `json:"sites"`
	// QuietNs is how long all calls would have taken with every hit at its median, and InterruptNs how much longer they took, since
	// the kernel had other work to do meanwhile (not those during which another thread ran). A program loses the same part of its
	// time, and so the more of it the longer it is in probes.
	QuietNs     int64 `json:"quiet_ns"`
	InterruptNs int64 `json:"interrupt_ns"`
	// DisplacedNs is what it takes from a thread that the recorder runs in its place, beside what a row Displaced says: the interrupt
	// before, two switches, and the way back. 0 where it was not measured.
	DisplacedNs int64 `json:"displaced_ns,omitempty"`
}

// SiteCost is what calls of functions cost whose sites are of some class. An iqr_ns is the distance of the quartiles of
// the figure, which is a median.
type SiteCost struct {
	Entry  string `json:"entry"`            // as Func.EntryClass has it
	Return string `json:"return,omitempty"` // as Func.ReturnClass has it
	// EntryNs is what an entry, or hit, takes from its thread, before and after its time is taken.
	EntryNs    int64 `json:"entry_ns"`
	EntryIQRNs int64 `json:"entry_iqr_ns"`
	// InsideNs is what a call that does nothing lasts: what its hits take between the times that are taken at entry and return.
	InsideNs    int64 `json:"inside_ns,omitempty"`
	InsideIQRNs int64 `json:"inside_iqr_ns,omitempty"`
	// CallNs is what entry and return take together.
	CallNs    int64 `json:"call_ns,omitempty"`
	CallIQRNs int64 `json:"call_iqr_ns,omitempty"`
}

// Stack is a place in a function from which a call was made, and what called that function. An entry's Value is the
// place that it was called from. Places that have one caller's stack in common share its rows.
type Stack struct {
	Func FuncID `json:"func"`
	Addr uint64 `json:"addr"`           // return address: where the function goes on, as its file has it; 0 of what is in no file
	Line int    `json:"line,omitempty"` // of the call, in the Func's File
	// Outer is the place that the function was called from, defined before this one; 0 if it is not known.
	Outer StackID `json:"outer,omitempty"`
}

// MaxStack is the number of places on a stack; what lies further out is not recorded.
const MaxStack = 127

// FuncLoss counts the events of one function that were lost, or not to be kept.
type FuncLoss struct {
	Func    FuncID `json:"func"`
	Entries uint64 `json:"entries"`
	Returns uint64 `json:"returns"`
}

// End closes a trace that was completed.
type End struct {
	Stop     Anchor     `json:"stop"`
	Reason   string     `json:"reason"` // why the recording ended
	Events   uint64     `json:"events"` // events in the file
	Entries  uint64     `json:"entries"`
	Sched    uint64     `json:"sched,omitempty"` // rows of the scheduler, which are no events
	Lost     uint64     `json:"lost"`            // events seen by a probe and not in the file
	FuncLost []FuncLoss `json:"func_lost,omitempty"`
	// Unmet are hits that did not meet a condition on arguments, and the returns of such calls: they took their time, too.
	Unmet []FuncLoss `json:"unmet,omitempty"`
}

// Tables holds the definitions of a trace that have been read so far.
type Tables struct {
	Modules   []Module
	Funcs     []Func
	Processes []Process
	Threads   []Thread
	Losses    []Loss
	LeftOut   []LeftOut
	TakenOff  []TakenOff
	Dropped   []Dropped
	Stacks    []Stack // by StackID-1
	// Calibrations come in the order of time.
	Calibrations []Calibration
	End          *End // nil until the end of a complete trace
}
